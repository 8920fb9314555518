"""Clients subscribe and unsubscribe: their rows, whatever fails or comes in between."""

from functools import partial

import pytest

from broadcasting.channel_rows import channel_key
from broadcasting.connection import expires_at
from broadcasting.connection_row import connection_key
from broadcasting.items import Key, key_attributes
from broadcasting.self_row import channels_of
from broadcasting.user_rows import self_key, user_key
from tests.support.client_scene import AGE_MS, Scene
from tests.support.wire_table import Crash

ID = "c1="
BUSY_SECONDS = 3.5
"""How long an answer is worked at."""


@pytest.fixture
def scene() -> Scene:
    """A connection, and two streams that have counters."""
    scene = Scene()
    scene.connect(ID)
    for stream in ("*", "a", "b"):
        scene.count(stream, 1)
    return scene


def _keys(*channels: str, id_: str = ID) -> set[Key]:
    """Return the keys of the rows of a connection that is subscribed to channels."""
    return {connection_key(id_), self_key(id_), *(channel_key(one, id_) for one in channels)}


def _names(scene: Scene, id_: str = ID) -> list[str]:
    return channels_of(scene.wire.connections.get(self_key(id_), {}))


def test_subscribe_writes_all_rows_of_its_channels(scene: Scene) -> None:
    """A row in each channel, and what is to be deleted with the connection."""
    answer = scene.ask("subscribe", ref="7", at={"a": None, "b": None, "*": None})

    wire = scene.wire
    expires = expires_at(scene.now_ms - AGE_MS)
    assert (answer["type"], answer["ref"], list(answer["channels"])) == (
        "subscribed",
        "7",
        ["a", "b", "*"],
    )
    assert set(wire.connections) == _keys("a", "b")
    assert _names(scene) == ["a", "b"]
    assert {int(row["expiresAt"]["N"]) for row in wire.connections.values()} == {expires}
    row = wire.connections[channel_key("a", ID)]
    assert row["connectedAt"] == {"N": str(scene.now_ms - AGE_MS)}


def test_rows_expire_with_the_token_of_the_client(scene: Scene) -> None:
    """The end comes with each event."""
    ends = scene.now_ms // 1000 + 60
    scene.connect(ID, "alice", expires_seconds=ends)

    scene.ask("join", at={"a": None}, authorizer={"principalId": "alice", "exp": str(ends)})

    rows = scene.wire.connections
    assert {int(row["expiresAt"]["N"]) for row in rows.values()} == {ends}
    assert rows[self_key(ID)]["user"] == {"S": "alice"}


def test_same_request_again_changes_nothing(scene: Scene) -> None:
    """The client did not hear the answer."""
    answers = [scene.ask("subscribe", at={"a": None}) for _ in range(2)]

    assert answers[0] == answers[1]
    assert set(scene.wire.connections) == _keys("a")


def test_join_of_nothing_but_everyone_writes_nothing(scene: Scene) -> None:
    """An anonymous connection has one row."""
    scene.ask("join", at={"*": None})
    scene.ask("join", at={})

    assert set(scene.wire.connections) == {connection_key(ID)}


def test_own_stream_needs_no_row(scene: Scene) -> None:
    """The connect function has written it."""
    scene.connect(ID, "alice")
    before = set(scene.wire.connections)

    answer = scene.ask("join", at={"@": None}, authorizer={"principalId": "alice"})

    assert list(answer["channels"]) == ["@"]
    assert set(scene.wire.connections) == before


def test_unsubscribe_deletes_the_rows_and_then_the_names(scene: Scene) -> None:
    """Those of other channels stay; what is not there counts as deleted."""
    scene.ask("subscribe", at={"a": None, "b": None})

    answer = scene.ask("unsubscribe", ref="u", channels=["a", "never"])

    assert answer == {"type": "unsubscribed", "ref": "u", "channels": ["a", "never"]}
    assert (set(scene.wire.connections), _names(scene)) == (_keys("b"), ["b"])
    scene.ask("unsubscribe", channels=["b"])
    assert (set(scene.wire.connections), _names(scene)) == (_keys(), [])


def test_unsubscribe_without_any_channel_writes_no_row(scene: Scene) -> None:
    """A connection that has left has no rows either."""
    assert scene.ask("unsubscribe", channels=["a"])["type"] == "unsubscribed"
    assert set(scene.wire.connections) == {connection_key(ID)}


def _fill(scene: Scene, count: int) -> list[str]:
    names = [f"n{number:02}" for number in range(count)]
    for name in names:
        scene.count(name, 0)
    for first in range(0, count, 25):
        scene.ask("subscribe", at=dict.fromkeys(names[first : first + 25]))
    return names


def test_connection_has_50_channels_at_most(scene: Scene) -> None:
    """The 51st is refused, and nothing of that request is written."""
    names = _fill(scene, 49)
    before = set(scene.wire.connections)

    refused = scene.ask("subscribe", ref="r", at={"a": None, "b": None})
    allowed = scene.ask("subscribe", at={"a": None, names[0]: None, names[1]: None})
    again = scene.ask("subscribe", at={"b": None})

    assert (refused["code"], refused["ref"], refused["retry"]) == ("too-many-channels", "r", False)
    assert allowed["type"] == "subscribed"
    assert again["code"] == "too-many-channels"
    assert set(scene.wire.connections) == before | {channel_key("a", ID)}


def test_full_connection_may_ask_for_its_channels_again(scene: Scene) -> None:
    """A client that comes back to its request, or wants its position."""
    names = _fill(scene, 50)

    answers = [scene.ask("join", at=dict.fromkeys(names[at : at + 25])) for at in (0, 25)]

    assert [one["type"] for one in answers] == ["joined", "joined"]
    assert _names(scene) == names


def test_names_are_written_though_others_come_in_between(scene: Scene) -> None:
    """Two requests of one client at once: the first write tells what is there, and is made anew."""
    _fill(scene, 30)
    wire = scene.wire
    wire.forget()
    other = [f"o{number}" for number in range(19)]
    for name in other:
        scene.count(name, 0)

    def subscribe_to_others() -> None:
        wire.meanwhile.clear()
        scene.ask("subscribe", at=dict.fromkeys(other))

    wire.meanwhile[0] = subscribe_to_others
    answer = scene.ask("subscribe", at={"a": None, "n01": None})

    assert answer["type"] == "subscribed"
    assert len(_names(scene)) == 50


def test_request_is_busy_when_the_names_change_each_time(scene: Scene) -> None:
    """Another request of the client adds one of the same channels before each write."""
    others, wanted = [f"n{one}" for one in range(25)], [f"x{one}" for one in range(25)]
    row = scene.wire.connections[self_key(ID)] = key_attributes(self_key(ID))
    for number in range(5):
        names = [*others, *wanted[: number + 1]]
        scene.wire.meanwhile[number] = partial(row.update, channels={"SS": names})

    answer = scene.ask("subscribe", at=dict.fromkeys(wanted))

    assert (answer["code"], scene.wire.requests) == ("busy", ["UpdateItem"] * 4)


@pytest.mark.parametrize("expired", [False, True])
def test_client_without_its_row_is_gone_and_leaves_no_row(scene: Scene, *, expired: bool) -> None:
    """Whether the row has been deleted or has expired: DynamoDB deletes it days later."""
    key = connection_key(ID)
    if expired:
        scene.wire.connections[key]["expiresAt"] = {"N": str(scene.now_ms // 1000)}
    else:
        del scene.wire.connections[key]

    answer = scene.ask("subscribe", ref="g", at={"a": None, "b": None})

    assert (answer["type"], answer["code"], answer["ref"]) == ("error", "gone", "g")
    assert answer["retry"] is False
    assert set(scene.wire.connections) <= {key}


def test_client_that_is_gone_and_asks_for_everyone_only_is_told_so(scene: Scene) -> None:
    """Nothing was written."""
    scene.wire.connections.clear()

    assert scene.ask("join", at={"*": None})["code"] == "gone"
    assert scene.wire.requests == ["BatchGetItem"]


def test_client_whose_token_is_over_is_gone_for_every_request(scene: Scene) -> None:
    """DynamoDB is not asked."""
    over = {"principalId": "alice", "exp": str(scene.now_ms // 1000)}
    asked: list[tuple[str, dict[str, object]]] = [
        ("join", {"at": {}}),
        ("subscribe", {"at": {"a": None}}),
        ("unsubscribe", {"channels": ["a"]}),
        ("replay", {"channel": "*", "epoch": "", "from_": 0}),
        ("ping", {}),
    ]

    answers = [scene.ask(action, authorizer=over, **keys) for action, keys in asked]  # type: ignore[arg-type]

    assert [one["code"] for one in answers] == ["gone"] * 5
    assert scene.wire.requests == []


@pytest.mark.parametrize("moment", [0, 1, 2])
def test_disconnect_between_two_steps_leaves_no_row(scene: Scene, moment: int) -> None:
    """Before the names, the rows, or the read: the client is gone, and so are all rows."""
    scene.wire.meanwhile[moment] = lambda: scene.connections_table().remove(ID)

    answer = scene.ask("subscribe", at={"a": None, "b": None})

    assert answer["code"] == "gone"
    assert scene.wire.connections == {}


def test_disconnect_after_the_read_deletes_what_was_written(scene: Scene) -> None:
    """The names tell which rows there are."""
    answer = scene.ask("subscribe", at={"a": None, "b": None})

    scene.connections_table().remove(ID)

    assert answer["type"] == "subscribed"
    assert scene.wire.connections == {}


@pytest.mark.parametrize("moment", [0, 1, 2])
@pytest.mark.parametrize("fault", ["before", "after"])
def test_subscribe_that_dies_leaves_nothing_after_the_disconnect(
    scene: Scene, moment: int, fault: str
) -> None:
    """The names were written first."""
    scene.wire.faults = [*[None] * moment, fault]

    with pytest.raises(Crash):
        scene.ask("subscribe", at={"a": None, "b": None})
    scene.connections_table().remove(ID)

    assert scene.wire.connections == {}


@pytest.mark.parametrize("moment", [0, 1])
@pytest.mark.parametrize("fault", ["before", "after"])
def test_unsubscribe_that_dies_leaves_nothing_after_the_disconnect(
    scene: Scene, moment: int, fault: str
) -> None:
    """The names go last."""
    scene.ask("subscribe", at={"a": None, "b": None})
    scene.wire.faults = [*[None] * moment, fault]

    with pytest.raises(Crash):
        scene.ask("unsubscribe", channels=["a"])
    scene.connections_table().remove(ID)

    assert scene.wire.connections == {}


@pytest.mark.parametrize("moment", range(3))
@pytest.mark.parametrize("fault", ["before", "after"])
def test_disconnect_that_dies_leaves_rows_that_clean_up_finds(
    scene: Scene, moment: int, fault: str
) -> None:
    """A broadcast to the channel, or to everyone, that finds the connection gone deletes all."""
    scene.ask("subscribe", at={"a": None})
    scene.wire.faults = [*[None] * moment, fault]

    with pytest.raises(Crash):
        scene.connections_table().remove(ID)
    for stream in ("*", "a"):
        scene.connections_table().remove_batch([ID], stream=stream)

    assert scene.wire.connections == {}


@pytest.mark.parametrize("moment", range(3))
@pytest.mark.parametrize("fault", ["throttle", "break", "unprocessed", "half", "lose"])
def test_subscribe_is_done_all_the_same_when_a_request_fails_once(
    scene: Scene, moment: int, fault: str
) -> None:
    """It is made again; a write whose answer was lost changes nothing the second time."""
    scene.wire.faults = [*[None] * moment, fault]

    answer = scene.ask("subscribe", at={"a": None, "b": None})

    assert answer["type"] == "subscribed"
    assert (set(scene.wire.connections), _names(scene)) == (_keys("a", "b"), ["a", "b"])


@pytest.mark.parametrize("fault", ["throttle", "break", "unprocessed", "lose"])
@pytest.mark.parametrize("action", ["subscribe", "unsubscribe", "replay", "ping", "join"])
def test_client_is_told_to_ask_again_when_dynamodb_stays_busy(
    scene: Scene, action: str, fault: str
) -> None:
    """After some seconds, before the function's time is over; then the same request is done."""
    keys = {
        "subscribe": {"at": {"a": None}},
        "unsubscribe": {"channels": ["a"]},
        "replay": {"channel": "*", "epoch": "", "from_": 0},
        "ping": {"at": {"*": 1}},
        "join": {"at": {"*": None}},
    }[action]
    scene.ask("subscribe", at={"b": None})
    began = scene.wire.time.seconds
    scene.wire.always = fault

    answer = scene.ask(action, ref="b", **keys)  # type: ignore[arg-type]
    scene.wire.always = None
    again = scene.ask(action, **keys)  # type: ignore[arg-type]

    assert (answer["type"], answer["code"], answer["ref"]) == ("error", "busy", "b")
    assert (answer["retry"], answer["afterMs"]) == (True, 1_500)
    assert 1 < scene.wire.time.seconds - began < BUSY_SECONDS
    assert again["type"] != "error"


@pytest.mark.parametrize("moment", range(3))
def test_client_is_told_to_ask_again_at_once_when_dynamodb_refuses(
    scene: Scene, moment: int
) -> None:
    """A permission that is missing does not come back by itself within seconds."""
    scene.wire.faults = [*[None] * moment, "refuse"]

    answer = scene.ask("subscribe", at={"a": None})

    assert (answer["code"], answer["retry"]) == ("busy", True)
    assert len(scene.wire.requests) == moment + 1


@pytest.mark.parametrize(
    ("failing", "left"), [(0, {self_key(ID), channel_key("a", ID)}), (1, {self_key(ID)})]
)
def test_gone_is_answered_though_the_rows_cannot_be_deleted(
    scene: Scene, failing: int, left: set[Key]
) -> None:
    """They expire, or the next broadcast finds the connection gone."""
    del scene.wire.connections[connection_key(ID)]
    scene.wire.faults = [*[None] * (3 + failing), *["throttle"] * 99]

    answer = scene.ask("subscribe", at={"a": None})

    assert (answer["code"], set(scene.wire.connections)) == ("gone", left)


def test_take_back_deletes_what_another_request_has_written(scene: Scene) -> None:
    """Its client is gone, too, and no disconnect will come again."""
    scene.connect("u=", "alice")
    alice = {"principalId": "alice"}
    scene.ask("subscribe", "u=", authorizer=alice, at={"a": None})
    del scene.wire.connections[connection_key("u=")]

    answer = scene.ask("subscribe", "u=", authorizer=alice, at={"b": None})

    assert answer["code"] == "gone"
    mine = {key for key in scene.wire.connections if "u=" in "".join(key)}
    assert mine == {user_key("alice", "u=")}
