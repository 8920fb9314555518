"""Puts dead letters back into their queues, if their broadcasts can be settled that way."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from broadcasting.attributes import told
from broadcasting.slice_message import SliceId
from crier.deployed.dead_letters import DeadLetterQueue
from crier.deployed.letter import DeadLetter, Origin
from crier.deployed.redrive_decision import Action, FindAccount, decide
from crier.errors import CrierError

_CAME_BACK = "the same message was put back a moment ago: it came back, or was here twice"


@dataclass(frozen=True, slots=True)
class Redriven:
    """A dead letter, and what became of it."""

    letter: DeadLetter
    action: Action
    why: str

    def as_json(self) -> dict[str, Any]:
        """Return the result for scripts."""
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
    """Decide about each letter of a queue, and do it; with `only`, about the one with that id.

    When AWS refuses, a letter is reported as failed, and the next one follows. A letter that was
    put back and has come back meanwhile is kept: a message that is rejected at once would go round
    for ever.
    """
    put_back: set[SliceId] = set()
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


def _subject(letter: DeadLetter) -> SliceId:
    """Return the broadcast and the slice of a letter: they stay, while the message's id changes."""
    is_slice = letter.origin is Origin.SLICES
    return letter.slice_id if is_slice else SliceId(letter.broadcast_id, "")


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
