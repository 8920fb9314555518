"""One connection of a client: which channels it is on, and what is under way on it. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from broadcasting.audience import EVERYONE, OWN
from broadcasting.client_request import MOST_CHANNELS, MOST_EARLIER
from broadcasting.followed_channel import FollowedChannel
from crier.listening.channels import Channels, NamedChannels
from crier.listening.effects import Outbox, Send
from crier.listening.incoming import Answer
from crier.listening.requests import Request, Requests
from crier.listening.waits import SILENCE_MS, STEADY_MS, UNANSWERED_MS, Waits

_MEMBERSHIP = ("join", "subscribe", "unsubscribe")


@dataclass(slots=True, eq=False)
class Connection:
    """One connection; what it asks goes into `outbox`.

    `channels` are those that the client wants, `members` those that this connection is on and has
    been answered about. `ids` are the client's connection ids, the newest last.
    """

    socket: int
    channels: Channels
    ids: Sequence[str]
    waits: Waits
    refs: Iterator[int]
    outbox: Outbox
    members: dict[str, FollowedChannel] = field(default_factory=dict)
    requests: Requests = field(init=False)
    id: str = ""
    joined_at: float | None = None
    renew_at: float | None = None
    ping_at: float | None = None
    silent_at: float | None = None
    """By when the server has to say something; None while no request waits."""
    _is_careful: bool = False
    """Whether to ask for one channel at a time, as one of several was refused."""

    def __post_init__(self) -> None:
        self.requests = Requests(self.refs, self.waits)

    @property
    def is_whole(self) -> bool:
        """Whether this connection is on all channels that are wanted."""
        return not self._missing

    def is_steady(self, now_ms: float) -> bool:
        """Whether this connection has served long enough to be no failure when it ends."""
        return self.joined_at is not None and now_ms - self.joined_at >= STEADY_MS

    def join(self, now_ms: float) -> None:
        """Ask to be let in, on as many channels as a request may name."""
        others = {name: one for name, one in self.channels if name != EVERYONE}
        first = {} if self._is_careful else dict(islice(others.items(), MOST_CHANNELS - 1))
        self._subscribe("join", {EVERYONE: self.channels[EVERYONE], **first}, now_ms)

    def joined(self, answer: Answer, now_ms: float) -> None:
        """Note that the server knows this connection."""
        self.id, self.joined_at = answer.connection_id, now_ms
        self.ping_at = now_ms + self.waits.before_ping()
        if answer.renew_in_ms is not None:
            self.renew_at = now_ms + self.waits.before_renewal(answer.renew_in_ms)

    def change_membership(self, now_ms: float) -> None:
        """Ask for the next change; one at a time, as the server may do two in either order."""
        if self.joined_at is None or self.requests.are_under_way(*_MEMBERSHIP):
            return
        left = [one for one in self.members if one not in self.channels and one != OWN]
        if left:  # first, as it makes room for others: a connection has a limit of channels
            names = left[:MOST_CHANNELS]
            channels = {name: self.members[name] for name in names}
            self._ask("unsubscribe", {"channels": names}, channels, now_ms)
        elif missing := self._missing:
            most = 1 if self._is_careful else MOST_CHANNELS
            self._subscribe("subscribe", dict(islice(missing.items(), most)), now_ms)
        else:
            self._is_careful = False

    def unsubscribed(self, request: Request) -> None:
        """Forget the channels that a request was to leave."""
        for name in request.channels:
            del self.members[name]

    def be_careful(self, request: Request) -> bool:
        """Ask for the channels of a refused request one by one; False when that cannot help."""
        others = request.channels.keys() - {EVERYONE}
        if self._is_careful or not others or (request.action == "subscribe" and len(others) == 1):
            return False
        self._is_careful = True
        return True

    def replay(self, now_ms: float) -> None:
        """Ask for what is missing in channels."""
        for name, channel in self._followed:
            if channel.asks_at is not None and channel.asks_at <= now_ms:
                start, epoch = channel.ask()
                fields = {"channel": name, "epoch": epoch, "from": start, **self._was}
                self._ask("replay", fields, {name: channel}, now_ms)

    def ping(self, now_ms: float) -> None:
        """Ask for the newest numbers, and for a sign of life; an older ping is given up."""
        self.ping_at = now_ms + self.waits.before_ping()
        for older in self.requests.asked("ping"):
            self.requests.end(older)
        at = [(name, one.position) for name, one in self._followed]
        for i in range(0, len(at), MOST_CHANNELS):
            self._ask("ping", {"at": dict(at[i : i + MOST_CHANNELS])}, {}, now_ms)
        self._expect_word_by(now_ms + SILENCE_MS)

    def check(self, now_ms: float) -> None:
        """Ask for a sign of life, unless one has to come as soon anyway."""
        if self.silent_at is None or self.silent_at > now_ms + SILENCE_MS:
            self.ping(now_ms)

    def give_up(self, now_ms: float) -> None:
        """Note that no answer will come any more: what is missing is asked for elsewhere."""
        for request in self.requests.asked("replay"):
            for channel in request.channels.values():
                channel.unanswered(now_ms)

    def ask_again(self, now_ms: float) -> None:
        """Ask again what was not answered in time."""
        for text in self.requests.due(now_ms):
            self._send(text, now_ms)

    @property
    def wakes_at(self) -> float | None:
        """When something is due."""
        asks = [one.asks_at for _, one in self._followed]
        times = [self.ping_at, self.silent_at, self.renew_at, self.requests.again_at, *asks]
        return min((one for one in times if one is not None), default=None)

    @property
    def _missing(self) -> NamedChannels:
        return {name: one for name, one in self.channels if self.members.get(name) is not one}

    @property
    def _followed(self) -> list[tuple[str, FollowedChannel]]:
        return [(name, one) for name, one in self.channels if self.members.get(name) is one]

    @property
    def _was(self) -> dict[str, Any]:
        earlier = [one for one in self.ids if one != self.id][-MOST_EARLIER:]
        return {"was": earlier} if earlier else {}

    def _subscribe(self, action: str, channels: NamedChannels, now_ms: float) -> None:
        at = {name: one.since for name, one in channels.items()}
        self._ask(action, {"at": at, **self._was}, channels, now_ms)

    def _ask(
        self, action: str, fields: Mapping[str, Any], channels: NamedChannels, now_ms: float
    ) -> None:
        self._send(self.requests.ask(action, fields, channels, now_ms), now_ms)

    def _send(self, text: str, now_ms: float) -> None:
        self.outbox.append(Send(self.socket, text))
        self._expect_word_by(now_ms + UNANSWERED_MS)

    def _expect_word_by(self, at: float) -> None:
        self.silent_at = at if self.silent_at is None else min(self.silent_at, at)
