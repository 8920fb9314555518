"""Decides what to do with a dead letter: put it back, delete it or keep it, and why."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from broadcasting.errors import RejectedError
from broadcasting.ledger_items import LIFE_DAYS, LIFE_SECONDS
from broadcasting.ledger_rows import ROOT
from broadcasting.message import Broadcast, identity_of, parse_broadcast
from broadcasting.slice_message import encode_slice_message
from broadcasting.strict_json import read_json
from crier.deployed.account import Account
from crier.deployed.letter import DeadLetter, Origin
from crier.deployed.request import checked

_STUCK = "its broadcast has no open slice, and is not settled: nothing can settle it"

FindAccount = Callable[[str], Account | None]


class Action(Enum):
    """What becomes of a dead letter."""

    PUT_BACK = "put back"
    DELETED = "deleted"
    KEPT = "kept"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do with a dead letter, and why.

    `body` is sent when the letter is put back: into the slice queue when it `is_slice`.
    """

    action: Action
    why: str
    body: str = ""
    is_slice: bool = False


def decide(
    letter: DeadLetter, find_account: FindAccount, *, rejected: bool, now_ms: int
) -> Decision:
    """Return what to do with a letter. Without `rejected` every rejected letter is kept."""
    if letter.origin is Origin.SLICES:
        decision = _decide_slice(letter, find_account)
    else:
        decision = _decide_broadcast(letter, find_account, now_ms)
    if decision.action is Action.KEPT or rejected or not letter.is_rejected:
        return decision
    return Decision(Action.KEPT, f"it was rejected; with --rejected it is {decision.action.value}")


def _decide_slice(letter: DeadLetter, find_account: FindAccount) -> Decision:
    broadcast_id, slice_id = letter.slice_id
    if not slice_id:
        return Decision(Action.KEPT, "it names no slice: it would be rejected again")
    account = find_account(broadcast_id)
    if account is None:
        return Decision(
            Action.KEPT, "the ledger does not know its broadcast: it is too old, or forged"
        )
    if account.is_settled:
        return Decision(Action.DELETED, "its broadcast is settled")
    if account.is_stuck:
        return Decision(Action.KEPT, _STUCK)
    if slice_id not in map(str, range(account.slices)):
        return Decision(
            Action.KEPT,
            f"its broadcast has slices 0 to {account.slices - 1}: it would be rejected again",
        )
    return Decision(Action.PUT_BACK, f"slice {slice_id} goes on", letter.body, is_slice=True)


def _decide_broadcast(letter: DeadLetter, find_account: FindAccount, now_ms: int) -> Decision:
    known = identity_of(letter.body, letter.first_id)
    account = find_account(known.id) if known else None
    if known and account:  # it is open already, even if it would be rejected today
        return _decide_opened(account, digest=known.digest)
    try:
        broadcast = parse_broadcast(letter.body, letter.first_id)
        request: Any = read_json(letter.body)
        checked(request, letter.first_id)
    except RejectedError as error:
        why = f"it would be rejected: {error}; send what was meant: it cannot be put back"
        return Decision(Action.KEPT, why)
    return _decide_unopened(request, broadcast, letter, now_ms)


def _decide_opened(account: Account, *, digest: str) -> Decision:
    """Decide about a broadcast that the ledger knows: a message for its first slice resumes it.

    That message goes into the slice queue. No producer sends to it, so the function trusts the
    mark of a redrive there.
    """
    if account.digest != digest:
        return Decision(
            Action.KEPT,
            f"it would be rejected: id {account.id} belongs to another broadcast; send what was "
            "meant under an id of its own",
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
    """Decide about a broadcast that the ledger does not know: its time to live runs on."""
    if now_ms - letter.sent_ms > LIFE_SECONDS * 1000:
        return Decision(
            Action.KEPT,
            f"it was sent more than {LIFE_DAYS} days ago: the ledger no longer knows whether it "
            "was delivered",
        )
    if broadcast.ttl_seconds is None:
        return Decision(Action.PUT_BACK, "the broadcast begins", _body(request, broadcast.id))
    left_seconds = broadcast.ttl_seconds - (now_ms - letter.sent_ms) // 1000
    if left_seconds <= 0:
        return Decision(
            Action.KEPT, "its time to live is over: no connection may receive it any more"
        )
    left_seconds = min(left_seconds, broadcast.ttl_seconds)
    return Decision(
        Action.PUT_BACK,
        f"the broadcast begins, with {left_seconds} s to live",
        _body(request | {"ttlSeconds": left_seconds}, broadcast.id),
    )


def _body(request: dict[str, Any], broadcast_id: str) -> str:
    """Return a body that names its id: the SQS message of a body has another id each time."""
    return json.dumps(request | {"id": broadcast_id})
