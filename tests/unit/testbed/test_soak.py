"""The soak's verdicts: each kind of broken promise is seen, and what is right is not."""

from typing import Any

import pytest

from broadcasting.audience import Audience
from broadcasting.receipt import Receipt
from testbed.soak.answers import wrong_answer
from testbed.soak.following import Followed, wrong_following
from testbed.soak.live import wrong_frames
from testbed.soak.rows_left import client_rows, numbers_of, wrong_ledger_rows, wrong_numbers
from testbed.soak.sent import Sent, by_stream
from testbed.soak.session import Answer, Session
from testbed.soak.sums import wrong_sums

NEWS = {
    1: Sent("one", Audience(channel="news"), 10.0, seq=1),
    2: Sent("two", Audience(channel="news", exclude=frozenset({"me"})), 11.0, seq=2),
    3: Sent("three", Audience(channel="news"), 12.0, seq=3),
}


def frame(seq: int, channel: str = "news") -> dict[str, Any]:
    """Return a frame of a broadcast of NEWS."""
    return {"id": NEWS[seq].id, "seq": seq, "channel": channel, "message": "x", "sentAt": seq}


def position(begin: int, end: int, *seqs: int, **fields: Any) -> dict[str, Any]:
    """Return a position with some frames."""
    frames = [frame(seq) for seq in seqs]
    return {"epoch": "e", "seq": end, "from": begin, "to": end, "frames": frames, **fields}


def subscribed() -> Session:
    """Return a session that is on a channel from second 5 on."""
    session = Session("alice", 1.0, id="me")
    session.sends('{"action": "subscribe", "ref": "1", "at": {"news": null}}', 4.0)
    empty = '{"epoch": "e", "seq": 0, "from": 0, "to": 0, "frames": []}'
    answer = '{"type": "subscribed", "ref": "1", "channels": {"news": ' + empty + "}}"
    session.receives(answer, 5.0)
    return session


@pytest.mark.parametrize(
    ("found", "wrong"),
    [
        (position(0, 3, 1, 3), ""),
        (position(0, 2, 1, 3), ""),
        (position(0, 3, 1), "lacks three"),
        (position(0, 3, 1, 2, 3), "leaves out"),
        (position(1, 3, 1, 3), "number 1 (1 times)"),
        (position(0, 3, 1, 3, 3), "number 3 (2 times)"),
        (position(0, 3, lost={"from": 0, "to": 3, "reason": "too-many"}), ""),
        (position(0, 2, lost={"from": 0, "to": 2, "reason": "too-many"}), "is lost"),
        (position(0, 3, lost={"from": 0, "to": 3, "reason": "expired"}), "is lost"),
    ],
)
def test_answer_is_held_to_its_range(found: dict[str, Any], wrong: str) -> None:
    """All that is meant for the client is in it, nothing else, and nothing is lost needlessly."""
    answer = Answer("news", frozenset({"me"}), found)

    complaints = list(wrong_answer(answer, "news", NEWS, most_frames=2))

    assert len(complaints) == bool(wrong)
    assert all(wrong in one for one in complaints)


@pytest.mark.parametrize(("seqs", "wrong"), [((1, 3), ""), ((3,), "lacks numbers [1]")])
def test_client_is_held_to_each_number(seqs: tuple[int, ...], wrong: str) -> None:
    """It has each number after the one that it began at, but for those that leave it out."""
    followed = Followed("news")
    followed.answered(position(0, 0))

    followed.answered(position(0, 3, *seqs))

    complaints = list(wrong_following(followed, NEWS, ("me",)))
    assert len(complaints) == bool(wrong)
    assert all(wrong in one for one in complaints)


def test_connection_may_receive_what_is_for_it_alone() -> None:
    """Not one that leaves it out, nor one sent after it unsubscribed, nor one of others."""
    session = subscribed()
    session.sends('{"action": "unsubscribe", "ref": "2", "channels": ["news"]}', 11.0)
    session.receives('{"type": "unsubscribed", "ref": "2", "channels": ["news"]}', 11.5)

    allowed = [one.id for one in NEWS.values() if session.may_receive(one)]

    assert allowed == ["one"]
    assert not session.may_receive(Sent("bob's", Audience(user="bob"), 10.0))
    assert session.may_receive(Sent("alice's", Audience(user="alice"), 10.0))


def test_frame_of_another_number_or_broadcast_is_seen() -> None:
    """A frame that was not sent, one that leaves the client out, one with a wrong channel."""
    session = subscribed()
    session.live = [frame(1), frame(2), frame(3, channel="*"), frame(1) | {"id": "unknown"}]

    complaints = list(wrong_frames(session, {one.id: one for one in NEWS.values()}))

    assert len(complaints) == 3


def test_sums_are_held_to_who_was_there() -> None:
    """A connection that was there throughout is delivered to, or excluded; the sums add up."""
    session = subscribed()
    session.times["one"] = 1

    right = wrong_sums(NEWS[1], Receipt(targeted=1, delivered=1), [session], 20.0)
    missed = wrong_sums(NEWS[3], Receipt(targeted=1, delivered=1), [session], 20.0)
    uncounted = wrong_sums(NEWS[2], Receipt(), [session], 20.0)
    open_ = wrong_sums(NEWS[1], Receipt(targeted=2, delivered=1), [session], 20.0)

    assert [len(list(one)) for one in (right, missed, uncounted, open_)] == [0, 1, 1, 1]


def test_number_that_two_broadcasts_have_is_seen() -> None:
    """Each number of a stream is one broadcast's."""
    again = Sent("again", Audience(channel="news"), 13.0, seq=3)

    streams, complaints = by_stream([*NEWS.values(), again])

    assert streams["news"] == NEWS
    assert len(complaints) == 1


def item(pk: str, sk: str, **values: Any) -> dict[str, Any]:
    """Return a row, with numbers."""
    numbers = {name: {"N": str(value)} for name, value in values.items()}
    return {"pk": {"S": pk}, "sk": {"S": sk}, **numbers}


def test_rows_of_clients_are_told_from_those_that_only_expire() -> None:
    """A `self` row alone can only expire; with another row of its connection it is left."""
    rows = client_rows(
        [
            item("all#3", "one"),
            item("connection#one", "self"),
            item("connection#two", "self"),
            item("ticket#x", "self"),
        ]
    )

    assert rows.left == ["all#3/one", "connection#one/self"]
    assert rows.kept == ["connection#two/self"]
    assert rows.ids == {"one", "two"}


def test_number_without_a_row_is_seen() -> None:
    """A number up to the counter's last has a row, or a mark that is not too old."""
    counter = item("channel#news", "sequence", last=3, expiresAt=1)
    rows = [counter, item("channel#news", "frame#000000000001", expiresAt=1)]

    (numbers,) = numbers_of(rows).values()

    assert len(list(wrong_numbers("news", numbers, ()))) == 2
    assert list(wrong_ledger_rows(rows, ())) == []
    assert len(list(wrong_ledger_rows([item("channel#news", "sequence"), item("x", "y")], ()))) == 2
