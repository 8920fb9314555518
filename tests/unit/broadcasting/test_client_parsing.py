"""Frames of clients: what is read of right ones, and what is said of wrong ones."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcasting.client_parsing import MOST_BYTES, parse_client_frame
from broadcasting.client_refusal import Code, RefusedFrameError
from broadcasting.client_request import (
    MOST_NUMBER,
    After,
    ClientFrame,
    Join,
    Last,
    Ping,
    Replay,
    Subscribe,
    Unsubscribe,
    Wanted,
)

MOST_LAST = 300


def _parse(frame: Any) -> ClientFrame:
    text = frame if isinstance(frame, str) else json.dumps(frame)
    return parse_client_frame(text, most_last=MOST_LAST)


def _refusal(frame: Any) -> RefusedFrameError:
    with pytest.raises(RefusedFrameError) as refused:
        _parse(frame)
    return refused.value


def test_join_is_read() -> None:
    """Each way to say from where on, and the client's earlier connections."""
    found = _parse(
        {
            "action": "join",
            "ref": "1",
            "at": {"*": {"seq": 41, "epoch": "k3f"}, "news": None, "@": {"last": 10}},
            "was": ["Jf0=", "b"],
        }
    )

    wanted = (
        Wanted("*", After(41, "k3f")),
        Wanted("news"),
        Wanted("@", Last(10, MOST_LAST)),
    )
    assert found == ClientFrame(Join(wanted=wanted, was=("Jf0=", "b")), "1")


@pytest.mark.parametrize(
    ("frame", "request_"),
    [
        ({"action": "join", "at": {}}, Join(wanted=())),
        ({"action": "subscribe", "at": {"a": None}}, Subscribe(wanted=(Wanted("a"),))),
        ({"action": "unsubscribe", "channels": ["a", "b", "a"]}, Unsubscribe(channels=("a", "b"))),
        (
            {"action": "replay", "channel": "*", "epoch": "", "from": 0, "was": []},
            Replay(wanted=Wanted("*", After(0, ""))),
        ),
        ({"action": "ping"}, Ping()),
        ({"action": "ping", "at": {"*": MOST_NUMBER, "a": 0}}, Ping(channels=("*", "a"))),
    ],
)
def test_other_frames_are_read(frame: Any, request_: Any) -> None:
    """Without a ref, which no request needs."""
    assert _parse(frame) == ClientFrame(request_, None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "[]",
        "1",
        '"join"',
        "null",
        '{"action": "ping"',
        '{"action": "ping", "ref": NaN}',
        '{"action": "ping", "at": {"*": 1e400}}',
        '{"action": "ping", "at": {"*": ' + "9" * 5000 + "}}",
        '{"action": "ping", "action": "ping"}',
        '{"action": "ping", "at": {"*": 1, "*": 2}}',
        '{"action": "ping", "at": {"*": [[1]]}}',
        "[" * MOST_BYTES,
        '{"action": "ping", "ref": "' + "x" * MOST_BYTES + '"}',
        '{"action": "ping", "ref": "\ud800"}',
        "{}",
        '{"action": null}',
        '{"action": 1}',
        '{"action": ["join"]}',
    ],
)
def test_text_that_is_no_frame_is_refused(text: str) -> None:
    """Strict JSON, each key once, few levels, 8 KiB."""
    refusal = _refusal(text)

    assert (refusal.code, refusal.ref, refusal.after_ms) == (Code.BAD_FRAME, None, None)
    assert refusal.message.startswith(("found", "action: found", "number"))
    assert len(refusal.message) < 400


def test_frame_has_three_levels_at_most() -> None:
    """No right one needs more."""
    wanted = (Wanted("*", Last(1, MOST_LAST)),)

    assert _parse('{"action": "join", "at": {"*": {"last": 1}}}').request == Join(wanted=wanted)
    refusal = _refusal('{"action": "join", "at": {"*": {"last": [1]}}}')
    assert refusal.message == "found deeper nesting, expected at most 3 levels"


def test_frame_of_just_8_kib_is_read() -> None:
    """Its bytes count, not its characters."""
    text = json.dumps({"action": "ping"})

    assert _parse(text + " " * (MOST_BYTES - len(text))).request == Ping()
    assert "8,193 bytes" in _refusal(text + " " * (MOST_BYTES - len(text) + 1)).message
    assert "bytes" in _refusal('"' + "é" * (MOST_BYTES // 2) + '"').message


@pytest.mark.parametrize("ref", ["", "x" * 65, "é", "a\nb", 1, None, ["1"], "\x7f"])
def test_ref_that_is_none_is_refused(ref: Any) -> None:
    """1 to 64 printable characters of ASCII; nothing is answered under it."""
    refusal = _refusal({"action": "ping", "ref": ref})

    assert (refusal.code, refusal.ref) == (Code.BAD_FRAME, None)
    assert refusal.message.startswith("ref: expected")


@pytest.mark.parametrize("ref", ["1", "x" * 64, 'a "b" \\ ~'])
def test_refusal_has_the_ref_of_its_frame(ref: str) -> None:
    """The client knows which request it is about."""
    refusal = _refusal({"action": "fly", "ref": ref})

    assert (refusal.code, refusal.ref) == (Code.UNKNOWN_ACTION, ref)
    assert "join, subscribe, unsubscribe, replay, ping" in refusal.message


@pytest.mark.parametrize("action", ["Join", "$disconnect", "", "x" * 500])
def test_action_that_is_none_of_ours_is_refused(action: str) -> None:
    """What is told of it is short."""
    refusal = _refusal({"action": action})

    assert refusal.code is Code.UNKNOWN_ACTION
    assert len(refusal.message) < 300


BAD_FRAMES: list[Any] = [
    {"action": "join"},
    {"action": "join", "at": None},
    {"action": "join", "at": []},
    {"action": "join", "at": "*"},
    {"action": "join", "at": {}, "since": 1},
    {"action": "join", "at": {}, "channels": []},
    {"action": "join", "at": {"*": 1}},
    {"action": "join", "at": {"*": "last"}},
    {"action": "join", "at": {"*": []}},
    {"action": "join", "at": {"*": {}}},
    {"action": "join", "at": {"*": {"seq": 1}}},
    {"action": "join", "at": {"*": {"seq": 1, "epoch": "a", "last": 1}}},
    {"action": "join", "at": {"*": {"seq": -1, "epoch": "a"}}},
    {"action": "join", "at": {"*": {"seq": 1.0, "epoch": "a"}}},
    {"action": "join", "at": {"*": {"seq": True, "epoch": "a"}}},
    {"action": "join", "at": {"*": {"seq": "1", "epoch": "a"}}},
    {"action": "join", "at": {"*": {"seq": None, "epoch": "a"}}},
    {"action": "join", "at": {"*": {"seq": MOST_NUMBER + 1, "epoch": "a"}}},
    {"action": "join", "at": {"*": {"seq": 1, "epoch": 1}}},
    {"action": "join", "at": {"*": {"seq": 1, "epoch": None}}},
    {"action": "join", "at": {"*": {"seq": 1, "epoch": "x" * 33}}},
    {"action": "join", "at": {"*": {"last": 0}}},
    {"action": "join", "at": {"*": {"last": MOST_LAST + 1}}},
    {"action": "join", "at": {"*": {"last": "1"}}},
    {"action": "join", "at": {"*": {"last": True}}},
    {"action": "join", "at": {}, "was": "a"},
    {"action": "join", "at": {}, "was": None},
    {"action": "join", "at": {}, "was": ["a", "b", "c", "d"]},
    {"action": "join", "at": {}, "was": [1]},
    {"action": "join", "at": {}, "was": [[]]},
    {"action": "join", "at": {}, "was": ["a b"]},
    {"action": "subscribe", "at": {}},
    {"action": "subscribe", "at": {"a": None}, "was": {}},
    {"action": "subscribe", "at": {"a": None}, "was": ["a"] * 4},
    {"action": "unsubscribe"},
    {"action": "unsubscribe", "channels": []},
    {"action": "unsubscribe", "channels": "a"},
    {"action": "unsubscribe", "channels": {"a": None}},
    {"action": "unsubscribe", "channels": ["a"], "at": {}},
    {"action": "replay", "channel": "a", "from": 1},
    {"action": "replay", "channel": "a", "epoch": "a"},
    {"action": "replay", "epoch": "a", "from": 1},
    {"action": "replay", "channel": "a", "epoch": "a", "from": -1},
    {"action": "replay", "channel": "a", "epoch": "a", "from": 1.5},
    {"action": "replay", "channel": "a", "epoch": "a", "from": None},
    {"action": "replay", "channel": "a", "epoch": "a", "from": 1, "to": 2},
    {"action": "replay", "channel": "a", "epoch": "a", "from": 1, "was": ["a"] * 4},
    {"action": "ping", "at": None},
    {"action": "ping", "at": {"*": None}},
    {"action": "ping", "at": {"*": -1}},
    {"action": "ping", "at": {"*": {"seq": 1, "epoch": "a"}}},
]


@pytest.mark.parametrize(
    ("since", "shown"),
    [
        ({"seq": True, "epoch": ""}, "found true"),
        ({"seq": "7", "epoch": ""}, 'found "7"'),
        ({"seq": 7, "epoch": None}, "found null"),
        ({"last": None}, "found null"),
    ],
)
def test_wrong_value_is_shown_as_the_client_wrote_it(since: object, shown: str) -> None:
    """In JSON: a client knows nothing of the language in which the server is written."""
    assert _refusal({"action": "join", "at": {"*": since}}).message.endswith(shown)


@pytest.mark.parametrize("frame", BAD_FRAMES, ids=json.dumps)
def test_frame_with_wrong_values_is_refused(frame: dict[str, Any]) -> None:
    """It says what was found and what was expected."""
    refusal = _refusal(frame | {"ref": "r"})

    assert (refusal.code, refusal.ref) == (Code.BAD_FRAME, "r")
    assert "expected" in refusal.message
    assert "found" in refusal.message


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        ({"action": "join"}, 'found no key "at", expected action, at and, optional, was, ref'),
        (
            {"action": "ping", "to": 1},
            'found the unknown key "to", expected action and, optional, at, ref',
        ),
        (
            '{"action": "ping", "at": {}, "at": {}}',
            'found key "at" more than once, expected each key once',
        ),
        (
            {"action": "replay", "channel": 1, "epoch": "e", "from": 1},
            "channel: found 1, expected a name",
        ),
        (
            {"action": "replay", "channel": "a", "epoch": "e", "from": "1"},
            'the number of a frame: expected a whole number from 0 to 9007199254740991, found "1"',
        ),
    ],
)
def test_refusal_speaks_of_keys_and_values_as_json_has_them(frame: Any, message: str) -> None:
    """It names the key that is missing, tells which keys are optional, and quotes JSON."""
    assert _refusal(frame).message == message


@pytest.mark.parametrize(
    "since",
    [After(0, ""), After(2**53 - 1, "x" * 32), Last(1, MOST_LAST), Last(MOST_LAST, MOST_LAST)],
)
def test_numbers_and_epochs_are_read_up_to_their_limits(since: After | Last) -> None:
    """JavaScript is exact up to 2**53 - 1."""
    said = (
        {"seq": since.seq, "epoch": since.epoch}
        if isinstance(since, After)
        else {"last": since.frames}
    )

    frame = _parse({"action": "join", "at": {"*": said}, "was": ["a", "b", "c"]})

    assert frame.request == Join(wanted=(Wanted("*", since),), was=("a", "b", "c"))


@pytest.mark.parametrize(
    "frame",
    [
        {"action": "join", "at": {"*": {"seq": 2**53, "epoch": ""}}},
        {"action": "replay", "channel": "*", "epoch": "", "from": 2**53},
        {"action": "ping", "at": {"*": 2**53}},
    ],
    ids=json.dumps,
)
def test_number_with_which_javascript_is_not_exact_is_refused(frame: dict[str, Any]) -> None:
    """In each place that has one."""
    assert "found 9007199254740992" in _refusal(frame).message


@pytest.mark.parametrize(
    "name", ["", "x" * 65, "@bob", "*x", "**", "!", "a b", "user#bob", "é", "a\n"]
)
def test_name_that_is_no_channel_is_refused(name: str) -> None:
    """In each action: `@` names no user but one's own."""
    frames: list[dict[str, Any]] = [
        {"action": "join", "at": {name: None}},
        {"action": "subscribe", "at": {"ok": None, name: None}},
        {"action": "unsubscribe", "channels": ["ok", name]},
        {"action": "replay", "channel": name, "epoch": "", "from": 0},
        {"action": "ping", "at": {name: 0}},
    ]

    assert [_refusal(frame).code for frame in frames] == [Code.BAD_CHANNEL] * 5


@pytest.mark.parametrize(
    "request_of",
    [
        lambda name: Join(wanted=(Wanted(name),)),
        lambda name: Unsubscribe(channels=(name,)),
        lambda name: Ping(channels=(name,)),
    ],
)
def test_request_with_a_name_that_is_no_channel_cannot_be_made(
    request_of: Callable[[str], object],
) -> None:
    """Also when it was not read from a frame."""
    with pytest.raises(RefusedFrameError) as refused:
        request_of("@bob")

    assert refused.value.code is Code.BAD_CHANNEL


@pytest.mark.parametrize(
    "frame",
    [
        {"action": "unsubscribe", "channels": ["a", 1]},
        {"action": "unsubscribe", "channels": ["a", ["b"]]},
        {"action": "unsubscribe", "channels": ["*"]},
        {"action": "unsubscribe", "channels": ["a", "@"]},
        {"action": "replay", "channel": 1, "epoch": "", "from": 0},
        {"action": "replay", "channel": None, "epoch": "", "from": 0},
    ],
    ids=json.dumps,
)
def test_channel_that_cannot_be_meant_is_refused(frame: dict[str, Any]) -> None:
    """No string, or one that no connection can leave."""
    assert _refusal(frame).code is Code.BAD_CHANNEL


def test_frame_with_25_channels_is_read() -> None:
    """In each action that has several."""
    names = [f"c{number}" for number in range(25)]
    wanted = tuple(map(Wanted, names))
    frames: list[dict[str, Any]] = [
        {"action": "join", "at": dict.fromkeys(names)},
        {"action": "subscribe", "at": dict.fromkeys(names)},
        {"action": "unsubscribe", "channels": names},
        {"action": "ping", "at": dict.fromkeys(names, 1)},
    ]

    requests = [_parse(frame).request for frame in frames]

    assert requests == [
        Join(wanted=wanted),
        Subscribe(wanted=wanted),
        Unsubscribe(channels=tuple(names)),
        Ping(channels=tuple(names)),
    ]


@pytest.mark.parametrize("count", [26, 51])
def test_frame_with_more_than_25_channels_is_refused(count: int) -> None:
    """It is told to send several."""
    names = [f"c{number}" for number in range(count)]
    frames: list[dict[str, Any]] = [
        {"action": "join", "at": dict.fromkeys(names)},
        {"action": "subscribe", "at": dict.fromkeys(names)},
        {"action": "unsubscribe", "channels": names},
        {"action": "ping", "at": dict.fromkeys(names, 1)},
    ]

    refusals = [_refusal(frame) for frame in frames]

    assert {one.code for one in refusals} == {Code.TOO_MANY_CHANNELS}
    assert {f"found {count} channels" in one.message for one in refusals} == {True}


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["*", "@", "a", "seq", "epoch", "last", "!"]), inner, max_size=3
        )
    ),
    max_leaves=6,
)
_KEYS = st.sampled_from(["action", "ref", "at", "was", "channels", "channel", "epoch", "from", "x"])
_ACTION = st.sampled_from(["join", "subscribe", "unsubscribe", "replay", "ping", "fly"])


@given(st.text() | st.dictionaries(_KEYS, _VALUES), _ACTION)
def test_any_text_is_read_or_refused(found: Any, action: str) -> None:
    """Nothing else is raised, and what is refused can be told."""
    text = found if isinstance(found, str) else json.dumps({"action": action} | found)

    assert _end_of(text) in {None, *Code} - {Code.BUSY, Code.GONE, Code.NOT_ALLOWED}


def _end_of(text: str) -> Code | None:
    """Return why a text is refused, None when it is read."""
    try:
        parse_client_frame(text, most_last=MOST_LAST)
    except RefusedFrameError as error:
        return error.code if error.message.encode() else None
    return None
