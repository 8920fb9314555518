"""What the proxy knows of a text, and when it changes one: `joined`, and nothing else."""

import json

import pytest

from crier.local.page.passing import Passing

JOINED = '{"type":"joined","ref":"1","connectionId":"a1=","renewInMs":7199000,"channels":{}}'
FRAME = '{"id":"g-1","seq":1,"channel":"news","message":{"type":"joined"},"sentAt":1}'


@pytest.mark.parametrize(
    ("text", "is_frame"),
    [
        (FRAME, True),
        (JOINED, False),
        ('{"type":"replay","seq":4,"frames":[]}', False),
        ('{"message":"Internal server error","connectionId":"a1="}', False),
        ("Internal Server Error", False),
        ("[1]", False),
        ("[" * 100_000, False),
    ],
)
def test_frame_is_what_has_a_number_and_no_type(text: str, *, is_frame: bool) -> None:
    """Answers and foreign texts are none: they are never dropped."""
    assert Passing.of(text).is_frame is is_frame


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (JOINED, "a1="),
        ('{"message":"Internal server error","connectionId":"a1="}', None),
        ('{"type":"joined","connectionId":7}', None),
    ],
)
def test_connection_id_is_that_of_joined(text: str, found: str | None) -> None:
    """It is what a client knows of itself, and names in a command."""
    assert Passing.of(text).connection_id == found


def test_renewal_is_brought_forward_to_what_is_left() -> None:
    """All else of the answer stays."""
    renewed = Passing.of(JOINED).renewed_within(20_000)

    assert json.loads(renewed) == {**json.loads(JOINED), "renewInMs": 20_000}


@pytest.mark.parametrize(
    ("text", "left_ms"),
    [
        (JOINED, 7_199_000),
        (JOINED, 9_000_000),
        (FRAME, 1),
        ('{"type":"joined","renewInMs":"soon"}', 1),
        ('{"type":"joined"}', 1),
        ('{"type":"pong","renewInMs":7199000}', 1),
        ("no JSON", 1),
    ],
)
def test_text_stays_as_it_is_otherwise(text: str, left_ms: int) -> None:
    """An earlier end, as of a token, counts; a frame is passed on letter by letter."""
    assert Passing.of(text).renewed_within(left_ms) == text


def test_renewed_answer_can_be_sent_whatever_its_frames_hold() -> None:
    """A lone surrogate, which JSON lets through, is no text of UTF-8 unless it is escaped."""
    text = JOINED.replace('"channels":{}', r'"channels":{"news":{"frames":["\ud800"]}}')

    renewed = Passing.of(text).renewed_within(1)

    assert renewed.encode()
    assert json.loads(renewed)["channels"] == json.loads(text)["channels"]
