"""The soak: clients come and go, broadcasts of random sizes, faults on; promises are checked."""

import asyncio
import json
import random
import secrets
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from crier.demo.clients import Client, close_clients, connect_clients
from crier.deployed.account import Account
from crier.deployed.account_reader import AccountReader
from crier.deployed.dead_letters import dead_letter_queues
from crier.deployed.deployment import Deployment
from crier.deployed.producer import enqueue
from testbed.wire_faults import FaultFile, WireFault

SETTLE_SECONDS = 240.0
"""How long a broadcast may take: a minute until a young client that left is old, and deaths."""

_MOST_CLIENTS = 60
_FEWEST_CLIENTS = 10
_LARGEST_CHARACTERS = 20_000
_STEP_SECONDS = 0.5
_JOIN_SHARE = 0.3
_LEAVE_SHARE = 0.5

FAULTS = (
    *(
        WireFault(operation=operation, kind=kind, share=0.03)
        for operation in ("GetItem", "PutItem", "TransactWriteItems", "Query", "SendMessage")
        for kind in ("throttle", "break", "lose")
    ),
    WireFault(operation="BatchWriteItem", kind="unprocessed", share=0.3),
    *(
        WireFault(operation=operation, kind=kind, share=0.01)
        for operation in ("PutItem", "TransactWriteItems", "SendMessage")
        for kind in ("kill_before", "kill_after")
    ),
)
"""What the broadcast function suffers: some die, and every third broadcast has a fault."""


@dataclass(slots=True)
class Broadcast:
    """One broadcast: the clients that were connected when it was sent, and the monotonic time."""

    id: str
    present: frozenset[Client]
    sent_at: float


@dataclass(slots=True)
class Soaked:
    """What came of a soak."""

    broadcasts: int = 0
    settled: int = 0
    connected: int = 0
    left: int = 0
    received: int = 0
    duplicates: int = 0
    slowest_seconds: float = 0.0
    faults: dict[str, int] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)


class Soak:
    """Churns clients and broadcasts on a local deployment. `on_step` is told how it goes."""

    def __init__(
        self,
        deployment: Deployment,
        faults: FaultFile,
        *,
        seed: int,
        on_step: Callable[[str], None],
    ) -> None:
        self._deployment = deployment
        self._faults = faults
        self._random = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self._on_step = on_step
        self._accounts = AccountReader.of(deployment)
        self._clients: list[Client] = []
        self._gone: set[Client] = set()
        self._open: list[Broadcast] = []
        self._soaked = Soaked()

    async def run(self, seconds: float) -> Soaked:
        """Churn for some seconds, then wait until all has settled; return what came of it."""
        until = time.monotonic() + seconds
        self._faults.set(*FAULTS)
        try:
            await self._connect(_FEWEST_CLIENTS)
            while time.monotonic() < until:
                await self._step()
            while self._open:
                await self._check()
                await asyncio.sleep(_STEP_SECONDS)
        finally:
            self._faults.set()
            await close_clients(self._clients)
        self._soaked.faults = self._faults.happened()
        return self._soaked

    async def _step(self) -> None:
        dice = self._random.random()
        if dice < _JOIN_SHARE and len(self._clients) < _MOST_CLIENTS:
            await self._connect(self._random.randint(1, 10))
        elif dice < _LEAVE_SHARE and len(self._clients) > _FEWEST_CLIENTS:
            await self._leave()
        else:
            await self._broadcast()
        await self._check()
        await asyncio.sleep(self._random.random() * _STEP_SECONDS)

    async def _connect(self, count: int) -> None:
        self._clients += await connect_clients(self._deployment.web_socket_url, count)
        self._soaked.connected += count

    async def _leave(self) -> None:
        """Have some clients go, with a close frame or without."""
        self._random.shuffle(self._clients)
        count = self._random.randint(1, len(self._clients) - _FEWEST_CLIENTS)
        leaving, self._clients = self._clients[:count], self._clients[count:]
        self._gone.update(leaving)
        self._soaked.left += count
        for client in leaving:
            await (client.close() if self._random.random() < 0.5 else client.vanish())

    async def _broadcast(self) -> None:
        broadcast_id = f"soak-{secrets.token_hex(6)}"
        text = "x" * int(_LARGEST_CHARACTERS ** self._random.random())
        present = frozenset(self._clients)
        body = {"id": broadcast_id, "message": text}
        for _ in range(2 if self._random.random() < 0.1 else 1):
            await asyncio.to_thread(enqueue, self._deployment, body)
        self._open.append(Broadcast(broadcast_id, present, time.monotonic()))
        self._soaked.broadcasts += 1

    async def _check(self) -> None:
        """Hold the promises against those broadcasts that have settled, or should have."""
        for broadcast in list(self._open):
            account = await asyncio.to_thread(self._accounts.find, broadcast.id)
            seconds = time.monotonic() - broadcast.sent_at
            if account is not None and account.is_settled:
                self._open.remove(broadcast)
                await asyncio.sleep(0.2)  # what was posted last is still on its way to us
                self._hold(broadcast, account)
                self._soaked.slowest_seconds = max(self._soaked.slowest_seconds, seconds)
            elif seconds > SETTLE_SECONDS:
                self._open.remove(broadcast)
                await asyncio.to_thread(self._find_dead_letter, broadcast)
        soaked = self._soaked
        self._on_step(
            f"{soaked.settled} of {soaked.broadcasts} broadcasts settled, {len(self._clients)} "
            f"clients, {len(soaked.complaints)} broken promises"
        )

    def _hold(self, broadcast: Broadcast, account: Account) -> None:
        """Compare an account with what the clients received."""
        self._soaked.settled += 1
        counts, name = account.counts, broadcast.id
        if counts.targeted != counts.ended or account.open_slices:
            self._complain(f"{name}: the sums do not add up: {counts}")
        failed = len(list(self._accounts.failed(name)))
        if failed != counts.failed:
            self._complain(f"{name}: {counts.failed} failed, and {failed} ids are kept")
        stayed = broadcast.present - self._gone
        received = Counter({client: _times(client, name) for client in stayed})
        missed = sum(not times for times in received.values())
        if missed:
            self._complain(f"{name}: {missed} clients that were there throughout missed it")
        if counts.delivered < len(stayed):
            self._complain(f"{name}: {counts.delivered} delivered, {len(stayed)} received it")
        self._soaked.received += sum(received.values())
        self._soaked.duplicates += sum(times - 1 for times in received.values() if times)

    def _find_dead_letter(self, broadcast: Broadcast) -> None:
        """Expect a broadcast that came to no end in a dead-letter queue."""
        for queue in dead_letter_queues(self._deployment):
            with queue.held() as letters:
                if any(broadcast.id in letter.body for letter in letters):
                    return
        self._complain(f"{broadcast.id}: neither settled within {SETTLE_SECONDS:.0f} s, nor kept")

    def _complain(self, text: str) -> None:
        self._soaked.complaints.append(text)


def _times(client: Client, broadcast_id: str) -> int:
    """Return how often a client received a broadcast."""
    return sum(json.loads(frame).get("id") == broadcast_id for _, frame in client.frames)
