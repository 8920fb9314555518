"""What `crier send` makes of its arguments."""

import pytest

from broadcasting.errors import RejectedError
from broadcasting.frame import MAX_FRAME_BYTES
from crier.deployed.request import repeated_key, request_of


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"text": "Hear ye!"}', {"text": "Hear ye!"}),
        ("[1, null]", [1, None]),
        ("-5", -5),
        (' \n{"a": 1}\n', {"a": 1}),
        ('\ufeff{"a": 1}', {"a": 1}),
        ('""', ""),
        ("{}", {}),
        ("null", None),
        ("true", True),
        ("1.5", 1.5),
        ("Hear ye!", "Hear ye!"),
        (" Hear ye! ", " Hear ye! "),
        ("5 o'clock", "5 o'clock"),
        ("1e400 people", "1e400 people"),
        ("-5 degrees", "-5 degrees"),
        ("nullify", "nullify"),
        ("True", "True"),
        ("'a'", "'a'"),
        ("NaN", "NaN"),
        ("Infinity", "Infinity"),
        ("-Infinity", "-Infinity"),
    ],
)
def test_request_is_json_or_else_a_text(text: str, message: object) -> None:
    """What is JSON is sent as such, anything else as a text: Python's NaN is not JSON."""
    request = request_of(text, None)

    assert request == {"message": message}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('{"title": "News",}', "in line 1, column 1"),
        ("[1,2", "Expecting ',' delimiter in line 1, column 5"),
        ('"Hear ye!', "Unterminated string starting at in line 1, column 1"),
        ('"Hear ye!" he said', "Extra data in line 1, column 12"),
        ('{"a": 1}\n{"a": 2}', "Extra data in line 2, column 1"),
        ("{'a': 1}", "in line 1, column 2"),
        (' \t\n\n  {"a":\n', "Expecting value in line 4, column 1"),
        ("\ufeff[1 2]", "in line 1, column 4"),
        (" \ufeff{}", "in line 1, column 2"),
        ("\u00a0{}", "Expecting value in line 1, column 1"),
        ("[NaN]", "NaN is not a JSON number in line 1, column 2"),
        ('{"NaN": "-Infinity",\n "a": -Infinity}', "-Infinity is not a JSON number in line 2"),
    ],
)
def test_request_is_rejected_when_its_message_begins_like_json_and_is_none(
    text: str, reason: str
) -> None:
    """The reason says where the mistake is, and how to send it all the same."""
    with pytest.raises(RejectedError) as caught:
        request_of(text)

    assert caught.value.reason.startswith("the message begins like JSON but is not: ")
    assert reason in caught.value.reason
    assert caught.value.reason.endswith("correct it, or send it as a text with --text")


@pytest.mark.parametrize("text", ["", " ", "\n\t", "\ufeff", "\ufeff\n", "\u00a0"])
def test_request_is_rejected_when_its_message_is_empty(text: str) -> None:
    """A variable that is not set becomes no broadcast, unless its producer insists."""
    with pytest.raises(RejectedError, match=r"the message is empty; .* With --text"):
        request_of(text)


@pytest.mark.parametrize("text", ["", " ", '{"a": 1}', "5", "[1,2", "null", "[" * 70 + "]" * 70])
def test_request_is_a_text_when_it_is_said_to_be_one(text: str) -> None:
    """JSON too, and what is none, and an empty one."""
    assert request_of(text, as_text=True) == {"message": text}


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ('{"a": 1, "b": 2, "a": 3}', "a"),
        ('[{"x": {"b": 1, "b": 1}}, {"c": 1, "c": 2}]', "b"),
        ('{"a": {"a": 1}, "b": {"a": 1}}', ""),
        ('\ufeff{"a": 1, "a": 1}', "a"),
        ("Hear ye!", ""),
        ("1e400", ""),
    ],
)
def test_repeated_key_is_found_in_any_object(text: str, key: str) -> None:
    """The same key in two objects is none."""
    assert repeated_key(text) == key


def test_request_has_the_id_when_one_is_named() -> None:
    """The id is in the body only when it is given."""
    request = request_of("x", "news-1")

    assert request == {"message": "x", "id": "news-1"}


def test_request_has_its_time_to_live_when_one_is_named() -> None:
    """The time to live is in the body only when it is given."""
    request = request_of("x", ttl_seconds=60)

    assert request == {"message": "x", "ttlSeconds": 60}


@pytest.mark.parametrize("ttl_seconds", [-1, 0, 86_401])
def test_request_is_rejected_when_its_time_to_live_cannot_be(ttl_seconds: int) -> None:
    """The contract's bounds hold."""
    with pytest.raises(RejectedError, match="ttlSeconds: expected a whole number from 1 to 86400"):
        request_of("x", ttl_seconds=ttl_seconds)


def test_request_is_rejected_as_the_function_rejects_it_when_it_is_one_byte_too_large() -> None:
    """The id that SQS will give counts, too: what passes here is delivered."""
    frame = '{"id":"%s","seq":1000000000000,"channel":"*","message":"","sentAt":1767225600000}'
    longest = MAX_FRAME_BYTES - len(frame % ("x" * 36))

    request_of("a" * longest, None)

    with pytest.raises(RejectedError, match="130049 bytes"):
        request_of("a" * (longest + 1), None)


@pytest.mark.parametrize("depth", [65, *range(900, 1000, 3), 100_000])
def test_request_is_rejected_when_its_message_is_nested_deeper_than_64(depth: int) -> None:
    """At any depth, that of the parser's own limit too, the reason is the same."""
    request_of("[" * 64 + "]" * 64)

    with pytest.raises(RejectedError, match=f"nested too deeply.* {depth} levels, .* most 64"):
        request_of("[" * depth + "]" * depth)
