"""What clients are given of frames: positions, replays, pings, at the wire."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from broadcasting.client_answer import ANSWER_BYTES
from broadcasting.counter_items import EPOCH, LAST, TAKEN_AT
from broadcasting.frame import MAX_FRAME_BYTES
from broadcasting.items import EXPIRY, Item, attribute_of, key_attributes
from broadcasting.ledger_items import counter_key, entry_key, frame_key
from broadcasting.ledger_rows import FrameRow
from broadcasting.numbering import MARK_LIFE_MS
from storage.frames import PAGE_FRAMES
from tests.support.client_scene import EPOCH_OF_ALL, SETTINGS, Scene, at, seqs
from tests.support.wire_dynamo import BROADCASTS

ID = "c1="


@pytest.fixture
def scene() -> Scene:
    """A connection."""
    scene = Scene()
    scene.connect(ID)
    return scene


def _everyone(answer: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = answer["channels"]["*"]
    return found


def test_join_tells_where_the_client_is(scene: Scene) -> None:
    """And its id, and when its connection ends."""
    frames = scene.broadcasts("*", 3)
    scene.broadcasts("news", 12)

    text = scene.tell(json.dumps({"action": "join", "ref": "1", "at": {"*": at(1), "news": None}}))

    answer = json.loads(text)
    assert (answer["type"], answer["ref"], answer["connectionId"]) == ("joined", "1", ID)
    assert answer["renewInMs"] == 2 * 3_600_000 - 60_000
    assert answer["channels"] == {
        "*": {
            "epoch": EPOCH_OF_ALL,
            "seq": 3,
            "from": 1,
            "to": 3,
            "frames": [json.loads(one) for one in frames[1:]],
        },
        "news": {"epoch": EPOCH_OF_ALL, "seq": 12, "from": 12, "to": 12, "frames": []},
    }
    assert ",".join(frames[1:]) in text


@pytest.mark.parametrize(("lives_seconds", "renew_ms"), [(60, 60_000), (10**6, 7_140_000)])
def test_join_tells_when_the_token_ends(scene: Scene, lives_seconds: int, renew_ms: int) -> None:
    """Whichever comes first, the token's end or that of the connection."""
    scene.count("*", 0)
    scene.connect(ID, "alice", expires_seconds=scene.now_ms // 1000 + lives_seconds)

    assert scene.ask("join", at={"*": None})["renewInMs"] == renew_ms


def test_connection_that_outlives_its_time_is_renewed_at_once(scene: Scene) -> None:
    """Its row is kept for some minutes more."""
    scene.count("*", 0)
    scene.wire.time.run(2 * 3600)

    assert scene.ask("join", at={"*": None})["renewInMs"] == 0


def test_client_is_given_what_was_sent_between_subscription_and_read(scene: Scene) -> None:
    """A broadcast that takes its number before the read has its row, or a mark."""
    scene.count("news", 4)

    def broadcast() -> None:
        scene.count("news", 5)
        scene.put_frame("news", 5)

    scene.wire.meanwhile[2] = broadcast
    answer = scene.ask("subscribe", at={"news": at(4)})

    assert seqs(answer["channels"]["news"]) == [5]


@pytest.mark.parametrize("is_written", [False, True])
def test_number_that_is_taken_is_given_once_its_row_is_there(
    scene: Scene, *, is_written: bool
) -> None:
    """Without the row the worker has yet to read the audience, and finds the connection."""
    scene.broadcasts("news", 4)
    scene.count("news", 5, marks=[5])
    if is_written:
        scene.wire.meanwhile[3] = lambda: scene.put_frame("news", 5)

    position = scene.ask("subscribe", at={"news": at(3)})["channels"]["news"]

    assert scene.wire.requests[-1] == "Query"
    assert (position["seq"], position["to"]) == (4, 4 + is_written)
    assert seqs(position) == [4, 5][: 1 + is_written]


def test_frame_above_a_gap_is_given_to_a_client_that_comes_back(scene: Scene) -> None:
    """Its post may have come before the rows of the client."""
    scene.count("*", 3, marks=[2])
    for number in (1, 3):
        scene.put_frame("*", number)

    position = scene.replay(0)

    assert (position["seq"], position["from"], position["to"]) == (1, 0, 1)
    assert seqs(position) == [1, 3]


def test_newest_frame_above_a_gap_is_given_however_many_are_below(scene: Scene) -> None:
    """Its post has come before the rows of the client: without it no gap would show the others."""
    scene.count("*", 251, marks=[2, 251])
    for number in (1, *range(3, 251)):
        scene.put_frame("*", number, text="x" * 2_000)
    scene.wire.forget()

    position = scene.replay(0)

    assert (position["to"], position.get("more")) == (1, None)
    assert seqs(position)[-1] == 250
    assert scene.wire.requests == ["BatchGetItem", "Query", "Query"]
    assert (scene.wire.bodies[2]["Limit"], scene.wire.bodies[2]["ScanIndexForward"]) == (5, False)


def test_newest_frame_above_a_gap_that_is_for_the_client_is_given(scene: Scene) -> None:
    """The very newest ones may be its own, which it is not given."""
    scene.count("*", 250, marks=[2])
    for number in (1, *range(3, 251)):
        exclude = (ID,) if number > 246 else ()
        scene.put_frame("*", number, text="x" * 2_000, exclude=exclude)

    assert seqs(scene.replay(0))[-1] == 246


def test_newest_frame_is_not_read_where_there_is_no_gap(scene: Scene) -> None:
    """The client asks again from the end of the answer."""
    scene.count("*", 250, marks=[40])
    for number in range(1, 251):
        scene.put_frame("*", number, text="x" * 2_000)
    scene.wire.forget()

    position = scene.replay(0)

    assert position["more"]
    assert scene.wire.requests == ["BatchGetItem", "Query"]


def test_join_without_room_for_the_newest_frame_has_it_asked_for(scene: Scene) -> None:
    """Another channel has taken the room; the client asks again, and is given it."""
    scene.broadcasts("a", 1)
    scene.put_frame("a", 1, text="x" * 100_000)
    scene.count("b", 3, marks=[2])
    for number in (1, 3):
        scene.put_frame("b", number, text="x" * 20_000)

    joined = scene.ask("join", at={"a": at(0), "b": at(0)})["channels"]["b"]
    again = scene.replay(joined["to"], channel="b")

    assert (seqs(joined), joined["to"], joined["more"]) == ([1], 1, True)
    assert (seqs(again), again["to"], again.get("more")) == ([3], 1, None)


def test_sender_is_not_given_its_own_frame(scene: Scene) -> None:
    """By its id now, or the one before."""
    scene.count("*", 3)
    scene.put_frame("*", 1, exclude=(ID,))
    scene.put_frame("*", 2, exclude=("before=", "x"))
    scene.put_frame("*", 3)

    assert seqs(scene.replay(0, was=["before="])) == [3]
    assert seqs(scene.replay(0)) == [2, 3]
    assert seqs(_everyone(scene.ask("join", at={"*": at(0)}, was=["before="]))) == [3]


def test_own_stream_is_replayed_to_its_user_only(scene: Scene) -> None:
    """No user names another's."""
    scene.broadcasts("user#alice", 2)
    alice = {"principalId": "alice"}

    position = scene.ask("replay", channel="@", epoch=EPOCH_OF_ALL, from_=0, authorizer=alice)
    other = scene.ask(
        "replay", channel="@", epoch=EPOCH_OF_ALL, from_=0, authorizer={"principalId": "bob"}
    )
    none = scene.ask("replay", channel="@", epoch=EPOCH_OF_ALL, from_=0)

    assert [one["channel"] for one in position["frames"]] == ["@", "@"]
    assert (position["channel"], seqs(position)) == ("@", [1, 2])
    assert other["lost"]["reason"] == "epoch"
    assert none["code"] == "not-allowed"


def test_frame_whose_time_is_over_is_not_given(scene: Scene) -> None:
    """Its `ttlSeconds` are over; the range is complete without it."""
    scene.count("*", 2)
    scene.put_frame("*", 1, until_ms=scene.now_ms)
    scene.put_frame("*", 2, until_ms=scene.now_ms + 1)

    assert seqs(scene.replay(0)) == [2]


@pytest.mark.parametrize(
    ("start", "epoch", "reason"),
    [
        (3, "other", "epoch"),
        (6, EPOCH_OF_ALL, "epoch"),
        (1_000_000, EPOCH_OF_ALL, "epoch"),
        (0, EPOCH_OF_ALL, "expired"),
    ],
)
def test_what_cannot_be_given_is_lost(scene: Scene, start: int, epoch: str, reason: str) -> None:
    """Another epoch, the future, a row that is not there."""
    scene.broadcasts("*", 5)
    del scene.wire.broadcasts[frame_key("*", 1)]

    position = scene.replay(start, epoch=epoch, ref="x")

    assert position == {
        "type": "replay",
        "ref": "x",
        "channel": "*",
        "epoch": EPOCH_OF_ALL,
        "seq": 5,
        "from": start,
        "to": 5,
        "frames": [],
        "lost": {"from": start, "to": 5, "reason": reason},
    }
    assert scene.replay(position["to"])["to"] == 5


def test_more_than_300_frames_are_too_many(scene: Scene) -> None:
    """No row is read."""
    scene.count("*", 301)
    scene.wire.forget()

    position = scene.replay(0)

    assert position["lost"] == {"from": 0, "to": 301, "reason": "too-many"}
    assert scene.wire.requests == ["BatchGetItem"]


def test_300_frames_are_given_in_a_few_pages(scene: Scene) -> None:
    """Each page is bounded."""
    scene.broadcasts("*", 300)
    scene.wire.forget()

    position = scene.replay(0)

    assert seqs(position) == list(range(1, 301))
    assert scene.wire.requests == ["BatchGetItem", *["Query"] * 3]
    assert {one["Limit"] for one in scene.wire.bodies[1:]} == {PAGE_FRAMES}


def test_large_frames_come_in_several_answers(scene: Scene) -> None:
    """Each has 128 KiB at most, and one answer never reads much more than it has."""
    scene.count("*", 4)
    overhead = len(scene.put_frame("*", 1, text="")) + 2
    for number in range(1, 5):
        scene.put_frame("*", number, text="é" * ((MAX_FRAME_BYTES - overhead) // 2))
    scene.wire.forget()

    start = 0
    answers: list[dict[str, Any]] = []
    while not answers or answers[-1].get("more"):
        text = scene.tell(
            json.dumps({"action": "replay", "channel": "*", "epoch": EPOCH_OF_ALL, "from": start})
        )
        assert len(text.encode()) <= ANSWER_BYTES
        answers.append(json.loads(text))
        start = answers[-1]["to"]

    assert [seqs(one) for one in answers] == [[1], [2], [3], [4]]
    assert scene.wire.read_units < 5 + 4 * 130


def test_join_whose_answer_is_full_says_where_there_is_more(scene: Scene) -> None:
    """The first channels have the room; the others are asked for by replay, and are not read."""
    names = [f"c{number}" for number in range(5)]
    for name in names:
        scene.count(name, 2)
        for number in (1, 2):
            scene.put_frame(name, number, text="x" * 50_000)
    scene.wire.forget()

    answer = scene.ask("join", at=dict.fromkeys(names, at(0)))

    assert len(json.dumps(answer)) < ANSWER_BYTES
    found = {name: (seqs(one), one.get("more")) for name, one in answer["channels"].items()}
    assert found == {
        "c0": ([1, 2], None),
        "c1": ([], True),
        "c2": ([], True),
        "c3": ([], True),
        "c4": ([], True),
    }
    for name in names[1:]:
        assert seqs(scene.replay(0, channel=name)) == [1, 2]


def test_many_frames_for_others_do_not_make_an_answer_read_on(scene: Scene) -> None:
    """An answer with no frame at all: the client asks again from its end."""
    scene.count("*", 40)
    for number in range(1, 41):
        scene.put_frame("*", number, text="x" * 100_000, exclude=(ID,))
    scene.wire.forget()

    position = scene.replay(0)

    assert (position["frames"], position["more"]) == ([], True)
    assert 0 < position["to"] < 40
    assert scene.wire.requests == ["BatchGetItem", "Query"]


def test_last_frames_are_given(scene: Scene) -> None:
    """And nothing is lost where there are fewer."""
    scene.broadcasts("*", 5)

    few = _everyone(scene.ask("join", at={"*": {"last": 2}}))
    many = _everyone(scene.ask("join", at={"*": {"last": 300}}))
    refused = scene.ask("join", at={"*": {"last": 301}})

    assert (seqs(few), few["from"]) == ([4, 5], 3)
    assert (seqs(many), many["from"]) == ([1, 2, 3, 4, 5], 0)
    assert refused["code"] == "bad-frame"


def test_nothing_is_replayed_when_replay_is_off() -> None:
    """A client that has missed nothing has lost nothing; frames are not read."""
    scene = Scene(SETTINGS._replace(replay_seconds=0))
    scene.connect(ID)
    scene.broadcasts("*", 3)
    scene.wire.forget()

    assert scene.replay(3)["frames"] == []
    assert scene.replay(2)["lost"] == {"from": 2, "to": 3, "reason": "expired"}
    assert _everyone(scene.ask("join", at={"*": {"last": 2}}))["frames"] == []
    assert set(scene.wire.requests) == {"BatchGetItem"}


def _expire(item: Item, now_ms: int) -> None:
    item[EXPIRY] = attribute_of(now_ms // 1000)


@pytest.mark.parametrize(
    "change",
    [_expire, lambda item, _now_ms: item.pop(EPOCH), lambda item, _now_ms: item.clear()],
    ids=["expired", "of an earlier release", "deleted"],
)
def test_counter_that_does_not_count_begins_with_a_new_epoch(
    scene: Scene, change: Callable[[Item, int], object]
) -> None:
    """Under live clients: they learn the epoch, and what they had is lost."""
    last = 5
    scene.broadcasts("news", last)
    item = scene.wire.broadcasts[counter_key("news")]
    change(item, scene.now_ms)
    if not item:
        del scene.wire.broadcasts[counter_key("news")]
        scene.wire.broadcasts[entry_key("news", last)] = key_attributes(entry_key("news", last))

    answer = scene.replay(3, channel="news")
    fresh = scene.ask("subscribe", at={"news": None})["channels"]["news"]
    scene.put_frame("news", last + 1, epoch=answer["epoch"])
    scene.wire.broadcasts[counter_key("news")][LAST] = attribute_of(last + 1)
    again = scene.replay(answer["to"], channel="news", epoch=answer["epoch"])

    assert answer["lost"] == {"from": 3, "to": last, "reason": "epoch"}
    assert answer["epoch"] not in (EPOCH_OF_ALL, "")
    assert (fresh["epoch"], fresh["seq"]) == (answer["epoch"], last)
    assert seqs(again) == [last + 1]


def test_first_subscriber_begins_the_counter(scene: Scene) -> None:
    """A position exists before the first frame."""
    position = scene.ask("subscribe", at={"news": None})["channels"]["news"]

    assert (position["seq"], position["from"], position["to"]) == (0, 0, 0)
    assert position["epoch"] == scene.wire.broadcasts[counter_key("news")][EPOCH]["S"]


def test_number_of_a_dead_worker_is_closed_when_a_client_comes_back(scene: Scene) -> None:
    """It would hide all later ones."""
    scene.count("*", 3, marks=[2])
    scene.make_mark_older(2, MARK_LIFE_MS + 1)
    for number in (1, 3):
        scene.put_frame("*", number)

    position = scene.replay(0)

    assert (position["seq"], position["to"], seqs(position)) == (3, 3, [1, 3])
    assert not [name for name in scene.wire.broadcasts[counter_key("*")] if TAKEN_AT in name]
    assert scene.wire.broadcasts[frame_key("*", 2)]["frame"] == {"S": ""}


def test_number_of_a_dead_worker_is_no_concern_of_a_fresh_client(scene: Scene) -> None:
    """It begins behind what is known, and asks later."""
    scene.count("*", 3, marks=[2])
    scene.make_mark_older(2, MARK_LIFE_MS + 1)
    scene.wire.forget()

    assert _everyone(scene.ask("join", at={"*": None}))["seq"] == 1
    assert scene.wire.requests == ["BatchGetItem"]


def test_answer_is_whole_though_an_old_number_cannot_be_closed(scene: Scene) -> None:
    """The next one tries again."""
    scene.count("*", 3, marks=[2])
    scene.make_mark_older(2, MARK_LIFE_MS + 1)
    for number in (1, 3):
        scene.put_frame("*", number)
    scene.wire.faults = [None, None, "refuse"]

    position = scene.replay(0)

    assert (position["seq"], position["to"], seqs(position)) == (1, 1, [1, 3])
    assert scene.replay(1)["seq"] == 3


def test_old_numbers_are_left_when_the_time_is_over(scene: Scene) -> None:
    """The client waits: it is told to ask again."""
    scene.count("*", 9, marks=range(2, 9))
    for number in range(2, 9):
        scene.make_mark_older(number, MARK_LIFE_MS + 1)
    scene.wire.request_seconds = 1.0

    answer = scene.replay(0)

    assert answer["code"] == "busy"
    assert scene.wire.requests.count("PutItem") == 1


def test_row_that_cannot_be_read_is_as_if_it_were_not_there(scene: Scene) -> None:
    """It is lost, and harms no other."""
    scene.broadcasts("*", 3)
    scene.wire.broadcasts[frame_key("*", 2)]["nonsense"] = {"S": "x"}

    assert scene.replay(0)["lost"]["reason"] == "expired"
    assert seqs(scene.replay(2)) == [3]


def test_broadcast_that_failed_is_replayed_all_the_same(scene: Scene) -> None:
    """Its frame was written when it was opened, whatever became of its posts."""
    scene.broadcasts("*", 1)
    scene.wire.broadcasts["broadcast#b1", "summary"] = {"pk": {"S": "broadcast#b1"}}

    assert seqs(scene.replay(0)) == [1]


def test_ping_tells_the_newest_numbers(scene: Scene) -> None:
    """Of which all up to them are known; 0 for a stream that has no counter, which stays so."""
    scene.count("*", 41, marks=[40])
    scene.count("user#alice", 7)
    alice = {"principalId": "alice"}
    before = dict(scene.wire.broadcasts)

    answer = scene.ask("ping", ref="p", at={"*": 39, "@": 7, "none": 3}, authorizer=alice)

    assert answer == {"type": "pong", "ref": "p", "at": {"*": 39, "@": 7, "none": 0}}
    assert scene.wire.broadcasts == before
    assert scene.wire.bodies[-1]["RequestItems"][BROADCASTS]["ConsistentRead"] is False
    assert scene.ask("ping") == {"type": "pong", "at": {}}


def test_ping_tells_of_a_number_whose_mark_was_left_behind(scene: Scene) -> None:
    """A client that lacks it asks, and the answer closes the mark; a young mark hides it."""
    scene.broadcasts("*", 5)
    scene.count("*", 5, marks=[5])
    assert scene.ask("ping", at={"*": 4})["at"] == {"*": 4}

    scene.make_mark_older(5, MARK_LIFE_MS + 1)

    assert scene.ask("ping", at={"*": 4})["at"] == {"*": 5}
    assert seqs(scene.replay(4)) == [5]


@pytest.mark.parametrize("action", ["join", "subscribe", "replay", "ping"])
def test_channel_that_is_not_allowed_is_refused_in_each_request(scene: Scene, action: str) -> None:
    """By the authorizer's patterns; nothing is written, and nothing is told of it."""
    allowed = {"principalId": "alice", "channels": "news game:*"}
    keys: dict[str, object] = {
        "join": {"at": {"news": None, "other": None}},
        "subscribe": {"at": {"other": None}},
        "replay": {"channel": "other", "epoch": "", "from_": 0},
        "ping": {"at": {"other": 1}},
    }[action]  # type: ignore[assignment]

    answer = scene.ask(action, authorizer=allowed, **keys)  # type: ignore[arg-type]

    assert answer["code"] == "not-allowed"
    assert scene.wire.requests == []


def test_frames_in_memory_are_those_of_their_epoch_and_stream(scene: Scene) -> None:
    """A table that was made anew numbers again from the beginning."""
    scene.broadcasts("*", 2)
    scene.broadcasts("news", 2)
    scene.replay(0)
    scene.count("*", 2, epoch="new")
    for number in (1, 2):
        scene.put_row(
            FrameRow("*", number, f'{{"seq":{number + 10}}}', 1, "new", replay_until_ms=10**14)
        )

    assert seqs(scene.replay(0, epoch="new")) == [11, 12]
    assert [one["channel"] for one in scene.replay(0, channel="news")["frames"]] == ["news"] * 2


def test_frame_in_memory_is_not_given_when_its_time_is_over(scene: Scene) -> None:
    """Memory does not make it last."""
    scene.broadcasts("*", 2)
    scene.replay(0)
    scene.wire.time.run(86_400)

    assert scene.replay(0)["lost"]["reason"] == "expired"


@pytest.mark.parametrize("fault", ["throttle", "break", "lose"])
def test_frames_are_read_again_when_the_query_fails_once(scene: Scene, fault: str) -> None:
    """After a short pause."""
    scene.broadcasts("*", 2)
    scene.wire.faults = [None, fault]

    assert seqs(scene.replay(0)) == [1, 2]


def test_client_is_told_to_ask_again_when_frames_cannot_be_read(scene: Scene) -> None:
    """It is not told that it has missed nothing."""
    scene.broadcasts("*", 2)
    scene.wire.faults = [None, "refuse"]

    assert scene.replay(0)["code"] == "busy"
