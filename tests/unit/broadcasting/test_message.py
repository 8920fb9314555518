"""A producer's message: what is taken and what is refused."""

import hashlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broadcasting.audience import Audience
from broadcasting.errors import BroadcastingError, RejectedError
from broadcasting.message import Broadcast, identity_of, parse_broadcast

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)
KEYS = st.sampled_from(
    ["message", "id", "channel", "user", "connections", "exclude", "ttlSeconds", "x"]
)


def _each(key: str, *values: object) -> list[tuple[str, object]]:
    return [(key, value) for value in values]


@pytest.mark.parametrize("message", ["hi", "", 0, None, False, [], {}, {"a": [1.5]}, "\u20ac"])
def test_message_takes_any_json_value(message: object) -> None:
    """Any JSON value is a message, the falsy ones too; the SQS id is the default id."""
    body = json.dumps({"message": message})

    broadcast = parse_broadcast(body, "sqs-1")

    assert broadcast == Broadcast("sqs-1", message)


@pytest.mark.parametrize("message", ['{"a": 1, "a": 2}', '[{"a": 1, "a": 2}]', '{"message": 2}'])
def test_message_may_repeat_keys_inside_the_message(message: str) -> None:
    """The message is any JSON value: as everywhere, the last one counts."""
    broadcast = parse_broadcast(f'{{"id": "a", "message": {message}}}', "sqs-1")

    assert broadcast == Broadcast("a", json.loads(message))


@pytest.mark.parametrize("name", ["a", "a" * 64])
def test_message_keeps_its_own_id(name: str) -> None:
    """The producer's id wins over that of SQS."""
    body = json.dumps({"message": 1, "id": name})

    assert parse_broadcast(body, "sqs-1").id == name


@pytest.mark.parametrize("seconds", [1, 86_400])
def test_message_keeps_its_time_to_live(seconds: int) -> None:
    """From a second to a day; without it a broadcast does not expire."""
    body = json.dumps({"message": 1, "ttlSeconds": seconds})

    assert parse_broadcast(body, "sqs-1").ttl_seconds == seconds
    assert parse_broadcast('{"message": 1}', "sqs-1").ttl_seconds is None


def test_digest_tells_contents_apart_and_nothing_else() -> None:
    """Id, time to live and the order of keys change nothing: a redriven broadcast is the same."""
    one = Broadcast("a", {"x": 1, "y": 2}, 5)

    assert one.digest == Broadcast("b", {"y": 2, "x": 1}, 5).digest
    assert one.digest != Broadcast("a", {"x": 1, "y": 3}, 5).digest
    assert one.digest == Broadcast("a", {"x": 1, "y": 2}, 4).digest
    assert Broadcast("a", "1").digest != Broadcast("a", 1).digest
    assert Broadcast("a", "\ud800").digest


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ("", "not JSON"),
        ("hello", "not JSON"),
        ('{"message":', "not JSON"),
        ("\ufeff{}", "not JSON"),
        ('{"message": NaN}', "NaN is not a JSON number"),
        ('{"message": -Infinity}', "-Infinity is not a JSON number"),
        ('{"message": ["NaN\\\\",\n NaN]}', r"NaN is not a JSON number: line 2 column 2 \(char"),
        ('{"message": 1e999}', "^number 1e999 is too large"),
        ('{"message": -1e999}', "^number -1e999 is too large"),
        ('{"message": ' + "9" * 5000 + "}", r"^number 9+… \(5000 characters\) is too large"),
        ('{"message": ' + "[" * 200_000 + "]" * 200_000 + "}", "nested too deeply"),
        ("[]", "JSON array"),
        ('"a"', "JSON string"),
        ("null", "JSON null"),
        ("true", "JSON boolean"),
        ("1", "JSON number"),
        ("1.5", "JSON number"),
        ("{}", "no message: found an empty object"),
        ('{"id": "a"}', 'no message: found \\["id"\\]'),
        ('{"message": "a", "message": "b"}', 'key "message" is given 2 times, expected once'),
        ('{"message": 1, "id": "a", "id": "a"}', 'key "id" is given 2 times'),
        (
            '{"mesage": 1}',
            "unknown key .mesage.: allowed are message, id, channel, user, connections, exclude, t",
        ),
        ('{"message": 1, "' + "k" * 200 + '": 1}', r"characters\)"),
    ],
)
def test_message_is_rejected_when_it_is_no_request(body: str, reason: str) -> None:
    """The reason says what was found and what was expected."""
    with pytest.raises(RejectedError, match=reason):
        parse_broadcast(body, "sqs-1")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *_each("id", *("", "a" * 65, 1, None, True, [], {}, "\ud800")),
        *_each("channel", *("", "a" * 65, "a b", "a\n", "*", "\u00e9", 1, None, [])),
        *_each("user", *("", "a" * 129, 1, None, True, [], "\udfff")),
        *_each("connections", *([], ["a"] * 1001, "a", {}, [1], [""], None, ["a", None])),
        *_each("exclude", *(["a"] * 1001, "a", {}, [1], [""], None)),
        *_each("ttlSeconds", *(0, -1, 86_401, "1", 1.0, True, None, [])),
    ],
)
def test_message_is_rejected_when_a_value_is_wrong(key: str, value: object) -> None:
    """Each key has its type and its bounds; the reason names the key."""
    body = json.dumps({"message": 1, key: value})

    with pytest.raises(RejectedError, match=f"^{key}: expected .*, found "):
        parse_broadcast(body, "sqs-1")


def test_message_is_rejected_with_the_remedy_when_its_channel_is_everyones() -> None:
    """A producer that names the channel of all connections is told to name none."""
    with pytest.raises(RejectedError, match=r"\(everyone: leave it out; a user: .*\), found .\*.$"):
        parse_broadcast('{"message": 1, "channel": "*"}', "sqs-1")


@pytest.mark.parametrize(
    ("key", "value", "audience"),
    [
        ("channel", "a" * 64, Audience(channel="a" * 64)),
        ("channel", "user:1._-", Audience(channel="user:1._-")),
        ("user", "a" * 128, Audience(user="a" * 128)),
        ("user", "*", Audience(user="*")),
        ("connections", ["b=", "a=", "b="], Audience(connections=("b=", "a="))),
        ("connections", ["a"] * 1000, Audience(connections=("a",))),
        ("exclude", [], Audience()),
        ("exclude", ["b", "a"] * 500, Audience(exclude=frozenset("ab"))),
    ],
)
def test_message_says_its_audience(key: str, value: object, audience: Audience) -> None:
    """A list keeps its order, and has each id once; nobody to leave out is everyone."""
    body = json.dumps({"message": 1, key: value})

    assert parse_broadcast(body, "sqs-1").audience == audience


@pytest.mark.parametrize("who", [{"channel": "c"}, {"user": "u"}, {"connections": ["a"]}])
def test_message_may_leave_connections_of_any_audience_out(who: dict[str, object]) -> None:
    """Those in the list, too: nobody may remain."""
    body = json.dumps({"message": 1, "exclude": ["a"], **who})

    assert parse_broadcast(body, "sqs-1").audience.exclude == {"a"}


@pytest.mark.parametrize("wrong", ["a b", "a\n", "\u00e9", "x" * 129])
def test_message_is_rejected_when_an_id_is_no_connections(wrong: str) -> None:
    """Ids are kept with a space between two, and a list of a thousand has to fit into a row."""
    body = json.dumps({"message": 1, "exclude": ["a", wrong]})

    with pytest.raises(RejectedError, match=r"^exclude: expected a list of 0 to 1,000"):
        parse_broadcast(body, "sqs-1")


def test_digest_tells_audiences_apart_and_no_order() -> None:
    """An id is that of one message to one audience; lists are compared as sets."""
    bodies: list[dict[str, object]] = [
        {},
        {"channel": "a"},
        {"user": "a"},
        {"connections": ["a"]},
        {"exclude": ["a"]},
        {"channel": "a", "exclude": ["a"]},
    ]
    digests = [parse_broadcast(json.dumps({"message": 1} | one), "s").digest for one in bodies]
    lists = [{"connections": list(ids), "exclude": list(ids)} for ids in ("ab", "bab")]
    first, second = (parse_broadcast(json.dumps({"message": 1} | one), "s") for one in lists)

    assert len(set(digests)) == len(bodies)
    assert first.digest == second.digest


def test_digest_of_a_message_for_everyone_is_that_of_the_release_before() -> None:
    """A broadcast that it has opened goes on: its message is not another's."""
    expected = hashlib.sha256(b'["hi"]').hexdigest()

    assert Broadcast("a", "hi").digest == expected
    assert parse_broadcast('{"message": "hi", "exclude": []}', "s").digest == expected


def test_message_is_rejected_when_it_names_two_audiences() -> None:
    """A message names at most one audience."""
    body = json.dumps({"message": 1, "user": "u", "channel": "c"})

    with pytest.raises(RejectedError, match="two audiences: channel and user") as caught:
        parse_broadcast(body, "sqs-1")

    assert isinstance(caught.value, BroadcastingError)
    assert caught.value.reason == str(caught.value)


@pytest.mark.parametrize("name", ["a", "a" * 65])
@pytest.mark.parametrize("ttl_seconds", [1, 86_401])
def test_identity_is_known_when_todays_limits_refuse_the_body(name: str, ttl_seconds: int) -> None:
    """A broadcast that an earlier release has opened is found by it."""
    body = json.dumps({"message": {"x": 1}, "id": name, "ttlSeconds": ttl_seconds})

    assert identity_of(body, "sqs-1") == (name, Broadcast(name, {"x": 1}).digest)


def test_identity_is_that_of_the_broadcast() -> None:
    """The SQS id is the default id, as ever."""
    body = '{"message": "hi"}'

    assert identity_of(body, "sqs-1") == ("sqs-1", parse_broadcast(body, "sqs-1").digest)


@pytest.mark.parametrize(
    "body",
    [
        *("", "hello", "[]", "1", "null", "{}", '{"mesage": 1}', "[" * 200_000),
        *('{"message": 1, "id": 5}', '{"message": 1, "id": ""}', '{"message": 1, "id": "\\ud800"}'),
        json.dumps({"message": 1, "id": "\u20ac" * 342}),
        '{"message": ' + "9" * 5000 + "}",
        '{"message": ' + "[" * 200_000 + "]" * 200_000 + "}",
    ],
)
def test_identity_is_none_when_nothing_can_have_been_opened(body: str) -> None:
    """No JSON object with a message, or an id that no row can have."""
    assert identity_of(body, "sqs-1") is None


@given(st.text() | JSON.map(json.dumps) | st.dictionaries(KEYS, JSON).map(json.dumps))
def test_identity_agrees_with_every_body_that_is_taken(body: str) -> None:
    """It never raises, and never takes one broadcast for another."""
    identity = identity_of(body, "sqs-1")

    try:
        broadcast = parse_broadcast(body, "sqs-1")
    except RejectedError:
        return
    assert identity == (broadcast.id, broadcast.digest)


@given(st.text() | JSON.map(json.dumps) | st.dictionaries(KEYS, JSON).map(json.dumps))
def test_message_parses_or_is_rejected(body: str) -> None:
    """No body raises anything but RejectedError."""
    try:
        broadcast = parse_broadcast(body, "sqs-1")
    except RejectedError as error:
        assert error.reason  # noqa: PT017 - either end is right
    else:
        assert broadcast.id


def test_message_parses_or_is_rejected_when_nesting_is_at_the_recursion_limit() -> None:
    """No depth is read and then fails to be shown."""
    escaped = []

    for depth in range(850, 1000):
        body = '{"id": ' + "[" * depth + "]" * depth + "}"
        try:
            parse_broadcast(body, "sqs-1")
        except RejectedError:
            continue
        except RecursionError:
            escaped.append(depth)

    assert escaped == []
