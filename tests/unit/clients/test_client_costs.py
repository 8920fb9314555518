"""What each request of a client costs: requests and units, counted at the wire."""

import pytest

from broadcasting.counter_items import EPOCH
from broadcasting.ledger_items import counter_key
from tests.support.client_scene import Scene, at

CHANNELS = [f"c{number}" for number in range(25)]


@pytest.fixture
def scene() -> Scene:
    """One connection, and streams that have counters."""
    scene = Scene()
    scene.connect()
    scene.count("*", 7)
    for name in CHANNELS:
        scene.count(name, 3)
    return scene


def _costs(scene: Scene) -> tuple[list[str], float, float]:
    wire = scene.wire
    return wire.requests, wire.write_units, wire.read_units


def test_join_of_everyone_costs_two_read_units(scene: Scene) -> None:
    """One BatchGetItem over both tables."""
    scene.ask("join", at={"*": at(7)})

    assert _costs(scene) == (["BatchGetItem"], 0, 2)


def test_missed_frames_cost_one_query_and_no_other_time(scene: Scene) -> None:
    """20 frames of 1 KB are 5 units and what their rows have besides; then they are in memory."""
    for number in range(1, 21):
        scene.put_frame("*", number, text="x" * 700)
    scene.count("*", 20)

    first = scene.ask("join", at={"*": at(0)})
    costs = _costs(scene)
    scene.wire.forget()
    again = scene.ask("join", at={"*": at(0)})

    assert costs == (["BatchGetItem", "Query"], 0, 2 + 5)
    assert _costs(scene) == (["BatchGetItem"], 0, 2)
    assert len(first["channels"]["*"]["frames"]) == 20
    assert again == first


@pytest.mark.parametrize("count", [1, 10, 25])
def test_subscribe_costs_one_write_more_than_its_channels(scene: Scene, count: int) -> None:
    """The names, the rows, and one read."""
    scene.ask("subscribe", at=dict.fromkeys(CHANNELS[:count]))

    requests = ["UpdateItem", "BatchWriteItem", "BatchGetItem"]
    assert _costs(scene) == (requests, count + 1, count + 1)


def test_first_subscriber_of_a_channel_costs_two_requests_more(scene: Scene) -> None:
    """The last entry, as the counter may have been lost, and the counter: it is read once."""
    scene.ask("subscribe", at={"new": None})

    requests = ["UpdateItem", "BatchWriteItem", "BatchGetItem", "Query", "PutItem"]
    assert _costs(scene)[0] == requests


def test_counter_of_an_earlier_release_costs_one_write_more(scene: Scene) -> None:
    """It gets an epoch."""
    del scene.wire.broadcasts[counter_key("*")][EPOCH]

    scene.ask("join", at={"*": None})

    assert _costs(scene)[0] == ["BatchGetItem", "UpdateItem"]


def test_join_costs_one_read_more_than_a_subscribe(scene: Scene) -> None:
    """The counter of everyone."""
    scene.ask("join", at={"*": at(7), **dict.fromkeys(CHANNELS[:10])})

    assert _costs(scene) == (["UpdateItem", "BatchWriteItem", "BatchGetItem"], 11, 12)


def test_unsubscribe_costs_one_write_more_than_its_channels(scene: Scene) -> None:
    """The rows, then the names."""
    scene.ask("subscribe", at=dict.fromkeys(CHANNELS))
    scene.wire.forget()

    scene.ask("unsubscribe", channels=CHANNELS[:10])

    assert _costs(scene) == (["BatchWriteItem", "UpdateItem"], 11, 0)


def test_ping_costs_half_a_read_unit_for_each_position(scene: Scene) -> None:
    """An eventually consistent read; none for a ping without positions."""
    scene.ask("ping", at={"*": 7, "c1": 3, "c2": 0})
    costs = _costs(scene)
    scene.wire.forget()
    scene.ask("ping")

    assert costs == (["BatchGetItem"], 0, 1.5)
    assert _costs(scene) == ([], 0, 0)


def test_replay_of_what_is_in_memory_costs_one_read_unit(scene: Scene) -> None:
    """The counter: it says what is new."""
    scene.broadcasts("*", 5)
    scene.replay(2)
    scene.wire.forget()

    scene.replay(2)

    assert _costs(scene) == (["BatchGetItem"], 0, 1)


def test_disconnect_costs_three_writes_more_than_its_channels(scene: Scene) -> None:
    """Two deletes that return the old rows, and a batch of the others."""
    scene.connect("u=", "alice")
    names = CHANNELS[:10]
    scene.ask("subscribe", "u=", authorizer={"principalId": "alice"}, at=dict.fromkeys(names))
    scene.wire.forget()

    scene.connections_table().remove("u=", user="alice")

    assert _costs(scene) == (["DeleteItem", "DeleteItem", "BatchWriteItem"], len(names) + 3, 0)
    assert [key for key in scene.wire.connections if "u=" in key or "connection#u=" in key] == []


def test_refused_frames_cost_nothing(scene: Scene) -> None:
    """What can be refused without DynamoDB is."""
    allowed = {"principalId": "alice", "channels": "news"}

    scene.ask("join", at={"c1": None}, authorizer=allowed)
    scene.ask("replay", channel="@", epoch="", from_=0)
    scene.ask("ping", at={"*x": 1})

    assert _costs(scene) == ([], 0, 0)
