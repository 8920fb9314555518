"""The accounts of a soak's broadcasts: watched until they settle, then held to the sums."""

import asyncio
import time
from collections.abc import Collection, Sequence

from crier.deployed.account import Account
from crier.deployed.account_reader import AccountReader
from crier.deployed.dead_letters import dead_letter_queues
from crier.deployed.deployment import Deployment
from crier.deployed.producer import enqueue_by
from testbed.soak.sent import Sent
from testbed.soak.session import Session
from testbed.soak.soaked import Soaked
from testbed.soak.sums import wrong_sums

SETTLE_SECONDS = 240.0
"""How long a broadcast may take: a minute until a young client that left is old, and deaths."""

_ON_ITS_WAY_SECONDS = 0.2
"""What was posted last is still on its way to us for some time."""


class Watched:
    """Broadcasts that were sent; `open` are those that have not settled. It fills in `soaked`."""

    def __init__(self, deployment: Deployment, soaked: Soaked) -> None:
        self.all: dict[str, Sent] = {}
        self.open: list[Sent] = []
        self._deployment = deployment
        self._soaked = soaked
        self._accounts = AccountReader.of(deployment)
        self._queue = (deployment.client("sqs"), deployment.broadcast_queue_url)

    async def send(self, one: Sent, text: str, *, times: int = 1) -> None:
        """Enqueue a broadcast, maybe more than once."""
        audience = one.audience
        ids = {"connections": list(audience.connections), "exclude": sorted(audience.exclude)}
        whom = {"channel": audience.channel, "user": audience.user, **ids}
        body = {"id": one.id, "message": text, **{key: who for key, who in whom.items() if who}}
        self.all[one.id] = one
        for _ in range(times):
            await asyncio.to_thread(enqueue_by, *self._queue, body)
        self.open.append(one)
        self._soaked.broadcasts += 1

    async def check(self, sessions: Sequence[Session]) -> None:
        """Hold the promises against those broadcasts that have settled, or should have."""
        found = await asyncio.to_thread(lambda: [self._accounts.find(one.id) for one in self.open])
        settled = [
            (one, account)
            for one, account in zip(list(self.open), found, strict=True)
            if account is not None and account.is_settled
        ]
        if settled:
            await asyncio.sleep(_ON_ITS_WAY_SECONDS)
        now = time.monotonic()
        for one, account in settled:
            self._settle(one, account, sessions, now)
        for one in [one for one in self.open if now - one.sent_at > SETTLE_SECONDS]:
            self.open.remove(one)
            await asyncio.to_thread(self._find_dead_letter, one)

    def _settle(
        self, one: Sent, account: Account, sessions: Collection[Session], now: float
    ) -> None:
        self.open.remove(one)
        soaked, counts = self._soaked, account.counts
        one.seq, one.counts = account.seq, counts
        soaked.settled += 1
        soaked.excluded += counts.excluded
        soaked.slowest_seconds = max(soaked.slowest_seconds, now - one.sent_at)
        if account.open_slices or account.contradictions:
            soaked.complaints.append(f"{one.id}: its rows contradict each other: {account}")
        failed = len(list(self._accounts.failed(one.id)))
        if failed != counts.failed:
            soaked.complaints.append(f"{one.id}: {counts.failed} failed, and {failed} are kept")
        soaked.complaints += wrong_sums(one, counts, sessions, now)

    def _find_dead_letter(self, one: Sent) -> None:
        """Expect a broadcast that came to no end in a dead-letter queue."""
        account = self._accounts.find(one.id)
        one.seq = 0 if account is None else account.seq
        for queue in dead_letter_queues(self._deployment):
            with queue.held() as letters:
                if any(one.id in letter.body for letter in letters):
                    return
        self._soaked.complaints.append(
            f"{one.id}: neither settled within {SETTLE_SECONDS:.0f} s, nor kept"
        )
