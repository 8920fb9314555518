"""The last text that a client hears before its connection is closed."""

import json
from typing import Any

import pytest

from broadcasting.bye import MOST_AFTER_MS, Bye, ByeCode, bye_of


def test_bye_is_encoded_as_the_protocol_says() -> None:
    """It has a type, which no broadcast's frame has, and nothing that is not needed."""
    bye = Bye(ByeCode.MOVED, reconnect=True, after_ms=5_000)

    text = bye.encode()

    assert text == '{"type":"bye","code":"moved","reconnect":true,"afterMs":5000}'


@pytest.mark.parametrize(
    ("code", "after_ms", "reconnect", "told_ms"),
    [
        ("kicked", None, False, 0),
        ("kicked", 0, True, 0),
        ("kicked", 250, True, 250),
        ("expired", None, True, 0),
        ("moved", None, True, 0),
        ("shutdown", MOST_AFTER_MS, True, MOST_AFTER_MS),
    ],
)
def test_bye_asks_to_connect_again_unless_the_client_is_kicked_for_good(
    code: str, after_ms: int | None, *, reconnect: bool, told_ms: int
) -> None:
    """A time says that a kicked client may connect again; other codes always say so."""
    told = json.loads(bye_of(ByeCode(code), after_ms).encode())

    assert told == {"type": "bye", "code": code, "reconnect": reconnect, "afterMs": told_ms}


@pytest.mark.parametrize("after_ms", [-1, MOST_AFTER_MS + 1, True, 1.0, "1", None])
def test_bye_refuses_a_time_that_cannot_be(after_ms: Any) -> None:
    """A client waits for an hour at most; the message says what was found and expected."""
    with pytest.raises(ValueError, match=r"after_ms is .*, expected a whole number from 0 to 3600"):
        Bye(ByeCode.KICKED, reconnect=True, after_ms=after_ms)


def test_bye_refuses_another_code_and_another_answer() -> None:
    """A text in place of a code, or a number in place of yes or no, is a mistake in our code."""
    code: Any = "kicked"
    reconnect: Any = 1

    with pytest.raises(ValueError, match="code is 'kicked', expected a ByeCode"):
        Bye(code, reconnect=True)
    with pytest.raises(ValueError, match="reconnect is 1, expected a bool"):
        Bye(ByeCode.KICKED, reconnect=reconnect)
