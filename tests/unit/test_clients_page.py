"""The code of the page for developers of clients: it keeps what a client of a channel has to."""

import json
import subprocess
from typing import Any

import pytest

from crier.paths import ROOT
from tests.support.page_code import code_of

PAGE = ROOT / "docs" / "user" / "clients.md"
NODE = ROOT / ".venv" / "bin" / "node"
PROGRAM = """
const told = [], it = channel((one) => told.push(one.seq), (one) => told.push(one.reason));
const steps = JSON.parse(process.argv[1]).map(([name, value]) => [it[name](value), it.hasGap]);
console.log(JSON.stringify({ told, steps, since: it.since }));
"""


def _run(*steps: tuple[str, Any]) -> dict[str, Any]:
    """Have the page's code take frames and answers in turn; return what it makes of them."""
    program = code_of(PAGE, "javascript", "channel") + PROGRAM
    done = subprocess.run(
        [str(NODE), "-e", program, json.dumps(steps)], capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _frame(seq: int) -> tuple[str, Any]:
    return "frame", {"seq": seq}


def _answer(start: int, end: int, *seqs: int, epoch: str = "k", **more: Any) -> tuple[str, Any]:
    position = {"epoch": epoch, "seq": end, "from": start, "to": end}
    return "answer", position | {"frames": [{"seq": seq} for seq in seqs]} | more


@pytest.mark.parametrize(
    ("steps", "told", "at"),
    [
        ([_answer(4, 4), _frame(5), _frame(6)], [5, 6], 6),
        ([_frame(4), _frame(5), _answer(4, 4)], [5], 5),
        ([_answer(4, 4), _frame(6), _frame(5), _frame(6), _frame(4)], [5, 6], 6),
        ([_answer(4, 4), _frame(7), _answer(4, 6, 5)], [5, 7], 7),
        ([_answer(2, 4, 3, 4, 6), _frame(4), _frame(6), _frame(5)], [3, 4, 5, 6], 6),
        ([_answer(0, 3, 1, 3, more=True), _answer(3, 5, 4, 5)], [1, 3, 4, 5], 5),
        ([_answer(5, 7, 6), _answer(5, 7, 6), _frame(8)], [6, 8], 8),
    ],
    ids=[
        "live",
        "before the answer",
        "overtaken",
        "a gap of others'",
        "both ways",
        "more",
        "twice",
    ],
)
def test_frames_are_told_in_order_and_once(
    steps: list[tuple[str, Any]], told: list[int], at: int
) -> None:
    """Whichever way they come."""
    found = _run(*steps)

    assert (found["told"], found["since"]) == (told, {"seq": at, "epoch": "k"})
    assert found["steps"][-1][1] is False


def test_gap_is_seen_until_it_is_closed() -> None:
    """By a frame, or by an answer, which may also say that there is more."""
    found = _run(_answer(1, 1), _frame(3), _answer(1, 2, more=True), _frame(5))

    assert found["steps"] == [[False, False], [None, True], [True, False], [None, True]]
    assert found["told"] == [3]


def test_loss_is_told_and_the_client_goes_on_with_the_new_epoch() -> None:
    """Numbers may be lower than before."""
    lost = {"from": 9, "to": 2, "reason": "epoch"}

    found = _run(_answer(9, 9), _answer(9, 2, epoch="new", lost=lost), _frame(3))

    assert (found["told"], found["since"]) == (["epoch", 3], {"seq": 3, "epoch": "new"})


@pytest.mark.parametrize(("reason", "told"), [("epoch", ["epoch"]), ("expired", ["expired", 10])])
def test_frames_that_wait_are_dropped_with_their_epoch(reason: str, told: list[Any]) -> None:
    """Those of the same epoch are still waited for."""
    lost = {"from": 5, "to": 9, "reason": reason}
    epoch = "new" if reason == "epoch" else "k"

    found = _run(_answer(5, 5), _frame(10), _answer(5, 9, epoch=epoch, lost=lost))

    assert (found["told"], found["steps"][-1][1]) == (told, False)


def test_client_without_a_position_asks_for_what_comes_from_now_on() -> None:
    """As `null` in a join."""
    assert _run(_frame(7))["since"] is None


def test_loss_does_not_lead_back_behind_live_frames() -> None:
    """A frame that has been told is not told again when a replay brings it."""
    lost = {"from": 5, "to": 8, "reason": "expired"}

    found = _run(
        _answer(5, 5), *map(_frame, range(6, 11)), _answer(5, 8, lost=lost), _answer(8, 10, 9, 10)
    )

    assert found["told"] == [6, 7, 8, 9, 10, "expired"]
    assert found["since"] == {"seq": 10, "epoch": "k"}


def test_answer_that_begins_above_the_client_skips_nothing() -> None:
    """A repeated request from now on says nothing of the numbers between."""
    found = _run(_answer(4, 4), _answer(6, 6), _frame(6), _frame(5))

    assert (found["told"], found["since"]) == ([5, 6], {"seq": 6, "epoch": "k"})
