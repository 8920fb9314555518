"""A deploy in the middle of a broadcast: what the release before opened is finished."""

import json

import pytest

from broadcasting.slice_message import encode_slice_message
from testbed.function.app import RESERVED_MS, App
from testbed.stand_in.reaction import Answer, Post, Reaction
from tests.faults.conftest import Behave
from tests.support.earlier_rows import open_as_before
from tests.support.promises import expect_kept

pytestmark = pytest.mark.timeout(120)

LARGEST_BEFORE_BYTES = 128 * 1024


def _frame(message: str) -> str:
    facts = {"id": "earlier", "seq": 1, "channel": "*", "message": message, "sentAt": 1}
    return json.dumps(facts, separators=(",", ":"))


def _largest_message() -> str:
    return "x" * (LARGEST_BEFORE_BYTES - len(_frame("")))


@pytest.mark.parametrize("message", ["hello", _largest_message()], ids=["small", "128 KiB"])
@pytest.mark.parametrize("comes", ["its message", "its slice's message"])
def test_broadcast_of_the_release_before_is_finished(
    app: App, stand_in: Behave, comes: str, message: str
) -> None:
    """Whatever the limits are now, and wherever the frame stands: all receive that frame once."""
    received: set[bytes] = set()

    def script(post: Post) -> Reaction:
        received.add(post.body)
        return Answer(200, delay_seconds=0.005)

    app.slow_down(60, remaining_ms=RESERVED_MS + 800)
    here = stand_in(script)
    audience = app.connect(120)
    body = json.dumps({"id": "earlier", "message": message})
    broadcast_id = open_as_before(app, body, _frame(message))
    if comes == "its message":
        app.send_raw(app.broadcasts, body)
    else:
        app.send_raw(app.slices, encode_slice_message(broadcast_id, "0"))

    app.run()

    assert not app.letters(app.broadcasts) + app.letters(app.slices)
    expect_kept(app, broadcast_id, here.report(), audience)
    assert received == {_frame(message).encode()}
    assert app.account(broadcast_id).seq == 1


def test_next_broadcast_goes_on_with_the_numbers_of_the_release_before(
    app: App, stand_in: Behave
) -> None:
    """The counter of the channel is where it was."""
    here = stand_in(lambda _: Answer(200))
    audience = app.connect(3)
    open_as_before(app, json.dumps({"id": "earlier", "message": "hello"}), _frame("hello"))

    broadcast_id = app.send()
    app.run()

    expect_kept(app, broadcast_id, here.report(), audience)
    assert app.account(broadcast_id).seq == 2
