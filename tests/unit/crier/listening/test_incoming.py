"""What a server sends is read: what it may send, and what no server of Crier does."""

import json
from typing import Any

import pytest

from crier.listening.incoming import (
    MOST_SAFE,
    Answer,
    Broadcast,
    Bye,
    MalformedError,
    Refusal,
    Throttled,
    Unknown,
    read,
)
from tests.support.listening_scene import frame, position


def _read(found: Any) -> Any:
    return read(json.dumps(found))


def test_frame_is_read_as_it_is() -> None:
    """With keys of later releases, too."""
    found = frame(7, "news", message={"score": [1, 0]}) | {"new": True}

    assert _read(found) == Broadcast(found)


@pytest.mark.parametrize("seq", [0, -1, 1.0, 1.5, True, "1", None, MOST_SAFE + 1, [1]])
def test_frame_with_a_number_that_is_none_is_refused(seq: Any) -> None:
    """Such as one that a client in JavaScript cannot hold."""
    with pytest.raises(MalformedError, match="expected a frame with a seq of 1 or more"):
        _read(frame(1) | {"seq": seq})


def test_frame_with_the_largest_number_is_read() -> None:
    """The one before that which is refused."""
    assert _read(frame(MOST_SAFE)) == Broadcast(frame(MOST_SAFE) | {"sentAt": MOST_SAFE})


@pytest.mark.parametrize("key", ["id", "channel"])
@pytest.mark.parametrize("value", [None, 1, ["*"], {}])
def test_frame_without_a_name_is_refused(key: str, value: Any) -> None:
    """By either of its names."""
    with pytest.raises(MalformedError, match="expected a frame with an id and a channel"):
        _read(frame(1) | {key: value})


@pytest.mark.parametrize("sent_at", [None, "now", True, [], -1, 1e300, MOST_SAFE + 1])
def test_time_that_is_none_is_zero(sent_at: Any) -> None:
    """The broadcast is delivered all the same."""
    assert _read(frame(1) | {"sentAt": sent_at}) == Broadcast(frame(1) | {"sentAt": 0})


@pytest.mark.parametrize("sent_at", [1, 1767225600000, 0.5])
def test_time_stays_the_number_that_it_is(sent_at: float) -> None:
    """A whole one is not written with a point."""
    found = _read(frame(1) | {"sentAt": sent_at})

    assert json.dumps(found.frame["sentAt"]) == json.dumps(sent_at)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "no JSON", "{", '{"seq":1', "null", "1", '"text"', "[]", "[{}]"),
        *('{"seq":NaN}', '{"seq":1,"x":Infinity}', '{"x":-Infinity}', "\ufeff{}"),
        *('{"seq":1,"x":1e400}', '{"x":[-1.5e999]}'),
        '{"seq":' + "1" * 5_000 + "}",
        '{"message":' + "[" * 20_000 + "]" * 20_000 + "}",
    ],
    ids=lambda text: text[:12],
)
def test_text_that_is_no_json_object_is_refused(text: str) -> None:
    """What Python's reader would take and JSON has not, too; the error is short."""
    with pytest.raises(MalformedError, match="expected a JSON object") as caught:
        read(text)

    assert len(str(caught.value)) < 200


def test_bytes_are_refused() -> None:
    """Even if they are JSON: API Gateway sends text."""
    with pytest.raises(MalformedError, match="found 2 bytes that are no text, expected JSON"):
        read(b"{}")


@pytest.mark.parametrize("kind", [("[", "]"), ('{"a":', "}")])
def test_text_is_refused_that_is_nested_deeper_than_any_answer(kind: tuple[str, str]) -> None:
    """It could be read, but perhaps not written: the object itself is the first level."""
    begin, end = kind

    def text(deep: int) -> str:
        inner = begin * deep + ("1" if begin != "[" else "") + end * deep
        return '{"seq":1,"id":"a","channel":"*","sentAt":1,"message":' + inner + "}"

    assert isinstance(read(text(99)), Broadcast)
    with pytest.raises(MalformedError, match="nested more than 100 deep"):
        read(text(100))


def test_answers_are_read() -> None:
    """Each type by its own keys; keys of later releases are left out of positions."""
    place = position(3, start=1, frames=[frame(2, "news")], more=True, new="x")
    known = {key: place[key] for key in ("epoch", "from", "to", "more", "frames")}
    joined = {"type": "joined", "ref": "1", "connectionId": "a=", "renewInMs": 7199000}

    assert _read({**joined, "channels": {"news": place}}) == Answer(
        "1", "joined", {"news": known}, connection_id="a=", renew_in_ms=7199000
    )
    assert _read({"type": "subscribed", "ref": "2", "channels": {}}) == Answer("2", "subscribed")
    assert _read({"type": "unsubscribed", "ref": "3"}) == Answer("3", "unsubscribed")
    assert _read({"type": "pong", "ref": "4", "at": {"*": 0, "news": MOST_SAFE}}) == Answer(
        "4", "pong", newest={"*": 0, "news": MOST_SAFE}
    )
    assert _read({"type": "replay", "ref": "5", "channel": "news", **place}) == Answer(
        "5", "replay", {"news": known}
    )


def test_lost_range_is_read() -> None:
    """With its reason; one that is null is none."""
    lost = {"from": 1, "to": 3, "reason": "expired"}
    found = _read({"type": "subscribed", "ref": "2", "channels": {"a": position(3, lost=lost)}})
    none = _read({"type": "subscribed", "ref": "2", "channels": {"a": position(3, lost=None)}})

    assert found.positions["a"]["lost"] == lost
    assert "lost" not in none.positions["a"]


@pytest.mark.parametrize(
    "change",
    [
        *({"epoch": 1}, {"epoch": None}, {"from": -1}, {"from": "0"}, {"to": 1.5}, {"to": True}),
        *({"to": MOST_SAFE + 1}, {"frames": None}, {"frames": {}}, {"frames": [1]}),
        *({"frames": [frame(0)]}, {"frames": [{}]}, {"frames": [frame(1) | {"id": 1}]}),
        *({"lost": 1}, {"lost": {}}, {"lost": {"reason": 1}}, {"lost": []}),
    ],
    ids=str,
)
@pytest.mark.parametrize("kind", ["joined", "subscribed", "replay"])
def test_position_that_is_none_is_refused(change: dict[str, Any], kind: str) -> None:
    """In every answer that has one."""
    place = position(3) | change
    told = {"channel": "a", **place} if kind == "replay" else {"channels": {"a": place}}

    with pytest.raises(MalformedError):
        _read({"type": kind, "ref": "1", **told})


@pytest.mark.parametrize("channels", [None, [], "a", {"a": None}, {"a": []}])
def test_positions_that_are_none_are_refused(channels: Any) -> None:
    """The object of channels, and each one's."""
    with pytest.raises(MalformedError, match="position"):
        _read({"type": "joined", "ref": "1", "channels": channels})


@pytest.mark.parametrize("newest", [None, [], {"a": -1}, {"a": None}, {"a": 1.5}, {"a": "1"}])
def test_pong_without_numbers_is_refused(newest: Any) -> None:
    """Each is a number from 0 on."""
    with pytest.raises(MalformedError, match="expected the newest numbers of channels"):
        _read({"type": "pong", "ref": "1", "at": newest})


@pytest.mark.parametrize("value", [None, True, "1", -1, 1e300, MOST_SAFE + 1, [], {}])
def test_time_span_that_is_none_is_passed_over(value: Any) -> None:
    """In all three answers that have one."""
    joined = {"type": "joined", "ref": "1", "channels": {}, "renewInMs": value}

    assert _read(joined).renew_in_ms is None
    assert _read({"type": "error", "afterMs": value}).after_ms == 0
    assert _read({"type": "bye", "afterMs": value}).after_ms == 0


@pytest.mark.parametrize("value", [None, 1, ["1"], {}])
def test_names_that_are_no_texts_are_empty(value: Any) -> None:
    """So no request is found by them, and no connection is remembered."""
    joined = {"type": "joined", "ref": value, "channels": {}, "connectionId": value}

    assert _read(joined) == Answer("", "joined")


def test_errors_are_read() -> None:
    """Without any of their keys, too."""
    full = {"type": "error", "ref": "1", "code": "busy", "message": "later", "afterMs": 250}

    assert _read(full) == Refusal("1", "busy", "later", 250)
    assert _read({"type": "error"}) == Refusal("", "error", "", 0)


def test_byes_are_read() -> None:
    """One that does not say that the client has to stay away means that it may come back."""
    full = {"type": "bye", "code": "moved", "reconnect": True, "afterMs": 250}

    assert _read(full) == Bye("moved", may_reconnect=True, after_ms=250)
    assert _read(full | {"reconnect": False}) == Bye("moved", may_reconnect=False, after_ms=250)
    assert _read({"type": "bye"}) == Bye("bye", may_reconnect=True, after_ms=0)


@pytest.mark.parametrize(
    "text",
    [
        *({}, {"message": "Internal server error", "connectionId": "a="}, {"type": "later"}),
        *({"type": 1, "seq": 1}, {"type": {}}, {"type": "__proto__"}, {"type": ""}),
    ],
    ids=str,
)
def test_text_of_another_kind_is_unknown(text: Any) -> None:
    """It is no fault: a later release may send it."""
    assert isinstance(_read(text), Unknown)


def test_refusal_by_the_throttle_is_known() -> None:
    """It has no type, and does not say which request it means."""
    assert isinstance(_read({"message": "Too Many Requests", "connectionId": "a="}), Throttled)
