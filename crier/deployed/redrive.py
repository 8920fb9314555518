"""Puts dead letters back where they came from, those that can come to an end there."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

from broadcasting.attributes import told
from broadcasting.errors import RejectedError
from broadcasting.ledger import ROOT
from broadcasting.message import Broadcast, identity_of, parse_broadcast
from broadcasting.slice_message import encode_slice_message
from broadcasting.strict_json import read_json
from crier.deployed.account import Account
from crier.deployed.dead_letters import DeadLetterQueue
from crier.deployed.letter import DeadLetter, Origin
from crier.deployed.request import checked
from crier.errors import CrierError

_LEDGER_DAYS = 7
_LEDGER_MS = _LEDGER_DAYS * 24 * 3600 * 1000
"""How long the ledger keeps an account: what it does not know by then may have been delivered."""

_STUCK = "its broadcast has no open slice, and is not settled: nothing would come of it"
_CAME_BACK = "the same was put back a moment ago: it has come back, or was here twice"

FindAccount = Callable[[str], Account | None]


class Action(Enum):
    """What becomes of a dead letter."""

    PUT_BACK = "put back"
    DELETED = "deleted"
    KEPT = "kept"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to become of a dead letter, and why.

    `body` is what is sent when it is put back: to the slice queue when it `is_slice`.
    """

    action: Action
    why: str
    body: str = ""
    is_slice: bool = False


@dataclass(frozen=True, slots=True)
class Redriven:
    """What has become of a dead letter."""

    letter: DeadLetter
    action: Action
    why: str

    def as_json(self) -> dict[str, Any]:
        """Return what a script wants to know."""
        return {
            "queue": self.letter.origin.value,
            "message_id": self.letter.message_id,
            "broadcast_id": self.letter.broadcast_id or None,
            "action": self.action.value,
            "why": self.why,
        }


def redrive(
    queue: DeadLetterQueue,
    find_account: FindAccount,
    *,
    only: str | None,
    rejected: bool,
    now_ms: int,
) -> Iterator[Redriven]:
    """Decide on the letters of a queue and do it; with `only`, on the one with that message id.

    A letter that AWS does not let go is reported as failed, and the others go on. What is put back
    and comes back meanwhile is kept: else one that is rejected at once would go round for ever.
    """
    put_back: set[tuple[str, str]] = set()
    with queue.held() as letters:
        for letter in letters:
            if only is None or only in (letter.message_id, letter.first_id):
                if letter.reason and _subject(letter) in put_back:
                    yield Redriven(letter, Action.KEPT, _CAME_BACK)
                    continue
                done = _redriven(queue, letter, find_account, rejected=rejected, now_ms=now_ms)
                if done.action is Action.PUT_BACK:
                    put_back.add(_subject(letter))
                yield done
            if only == letter.message_id:
                return


def decide(
    letter: DeadLetter, find_account: FindAccount, *, rejected: bool, now_ms: int
) -> Decision:
    """Return what is to become of a letter; with `rejected`, of one that was rejected, too."""
    if letter.origin is Origin.SLICES:
        decision = _decide_slice(letter, find_account)
    else:
        decision = _decide_broadcast(letter, find_account, now_ms)
    if decision.action is Action.KEPT or rejected or not letter.is_rejected:
        return decision
    return Decision(Action.KEPT, f"it was rejected; with --rejected it is {decision.action.value}")


def _subject(letter: DeadLetter) -> tuple[str, str]:
    """Return the broadcast, and the slice, that a letter is about: the ids of messages change."""
    return letter.slice_key if letter.origin is Origin.SLICES else (letter.broadcast_id, "")


def _redriven(
    queue: DeadLetterQueue,
    letter: DeadLetter,
    find_account: FindAccount,
    *,
    rejected: bool,
    now_ms: int,
) -> Redriven:
    why = ""
    try:
        decision = decide(letter, find_account, rejected=rejected, now_ms=now_ms)
        if decision.action is Action.PUT_BACK:
            left_out = queue.put_back(decision.body, letter.attributes, is_slice=decision.is_slice)
            why = told(left_out)
        if decision.action is not Action.KEPT:
            queue.delete(letter)
    except CrierError as error:
        return Redriven(letter, Action.FAILED, str(error))
    return Redriven(letter, decision.action, decision.why + why)


def _decide_slice(letter: DeadLetter, find_account: FindAccount) -> Decision:
    broadcast_id, slice_id = letter.slice_key
    if not slice_id:
        return Decision(Action.KEPT, "it names no slice: it would be rejected again")
    account = find_account(broadcast_id)
    if account is None:
        return Decision(Action.KEPT, "the ledger does not know its broadcast: too old, or forged")
    if account.is_settled:
        return Decision(Action.DELETED, "its broadcast is settled")
    if account.is_stuck:
        return Decision(Action.KEPT, _STUCK)
    return Decision(Action.PUT_BACK, f"slice {slice_id} goes on", letter.body, is_slice=True)


def _decide_broadcast(letter: DeadLetter, find_account: FindAccount, now_ms: int) -> Decision:
    known = identity_of(letter.body, letter.first_id)
    account = find_account(known[0]) if known else None
    if known and account:  # it goes on, whatever would be rejected today
        return _decide_opened(account, digest=known[1])
    try:
        request: Any = read_json(letter.body)
        broadcast = parse_broadcast(letter.body, letter.first_id)
        checked(request, letter.first_id)
    except (ValueError, RejectedError) as error:
        return Decision(Action.KEPT, f"it would be rejected: {error}")
    return _decide_unopened(request, broadcast, letter, now_ms)


def _decide_opened(account: Account, *, digest: str) -> Decision:
    """Decide on a broadcast that the ledger knows: it goes on by its first slice.

    In the slice queue, which no producer sends to, the function trusts the mark of a redrive.
    """
    if account.digest != digest:
        return Decision(
            Action.KEPT, f"it would be rejected: id {account.id} belongs to another broadcast"
        )
    if account.is_settled:
        return Decision(Action.DELETED, "the broadcast is settled")
    if account.is_stuck:
        return Decision(Action.KEPT, _STUCK)
    body = encode_slice_message(account.id, ROOT)
    return Decision(Action.PUT_BACK, "the broadcast goes on", body, is_slice=True)


def _decide_unopened(
    request: dict[str, Any], broadcast: Broadcast, letter: DeadLetter, now_ms: int
) -> Decision:
    """Decide on a broadcast that the ledger does not know: its time to live goes on, too."""
    if now_ms - letter.sent_ms > _LEDGER_MS:
        return Decision(
            Action.KEPT,
            f"it was sent more than {_LEDGER_DAYS} days ago, and the ledger forgets who had it",
        )
    if broadcast.ttl_seconds is None:
        return Decision(Action.PUT_BACK, "the broadcast begins", _body(request, broadcast.id))
    left_seconds = broadcast.ttl_seconds - (now_ms - letter.sent_ms) // 1000
    if left_seconds <= 0:
        return Decision(Action.KEPT, "its time to live is over: nobody shall receive it any more")
    left_seconds = min(left_seconds, broadcast.ttl_seconds)
    return Decision(
        Action.PUT_BACK,
        f"the broadcast begins, with {left_seconds} s to live",
        _body(request | {"ttlSeconds": left_seconds}, broadcast.id),
    )


def _body(request: dict[str, Any], broadcast_id: str) -> str:
    """Return a body that names its id: SQS gives the message that carries it another one."""
    return json.dumps(request | {"id": broadcast_id})
