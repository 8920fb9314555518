"""What the demo of channels counts: what each client should have, and what it has."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from broadcasting.audience import Audience
from broadcasting.receipt import Receipt
from crier.commands.demo_views import show_channels_result
from crier.demo.cast import (
    AWAY_FRAMES,
    CHANNELS,
    COMPANION,
    FEWEST_CLIENTS,
    TRAVELLER,
    Planned,
    cast_of,
    sent_while_all_are_there,
    sent_while_one_is_away,
    sent_while_one_returns,
)
from crier.demo.channel_tally import Sent, result_of
from crier.demo.channels_result import ChannelsResult, Reception, compared
from crier.demo.channels_run import broadcasts_for
from crier.demo.follower import Follower
from crier.deployed.account import Account
from crier.deployed.addressed import Addressed

ROLES = cast_of(FEWEST_CLIENTS)
IDS = [f"c{place}=" for place in range(FEWEST_CLIENTS)]


@pytest.mark.parametrize(
    ("received", "expected", "came"),
    [
        ("abc", "abc", Reception(right=3)),
        ("ab", "abc", Reception(right=2, missing=1)),
        ("", "abc", Reception(missing=3)),
        ("abbc", "abc", Reception(right=2, repeated=1)),
        ("acb", "abc", Reception(right=1, misplaced=2)),
        ("axbcx", "abc", Reception(right=3, wrong=2)),
        ("x", "", Reception(wrong=1)),
    ],
)
def test_frames_are_compared_with_those_that_were_meant(
    received: str, expected: str, came: Reception
) -> None:
    """Each letter is the id of a broadcast."""
    assert compared(list(received), list(expected)) == came


@pytest.mark.parametrize("clients", [FEWEST_CLIENTS, 7, 30])
def test_cast_has_every_audience(clients: int) -> None:
    """Each channel and the traveller's user have a client beside it; nothing is for none."""
    roles = cast_of(clients)
    ids = [f"c{place}=" for place in range(clients)]
    here = list(sent_while_all_are_there("p", roles, ids))

    others = roles[1:]
    assert roles[TRAVELLER].channels == set(CHANNELS)
    assert roles[COMPANION].user == roles[TRAVELLER].user
    assert {channel for role in others for channel in role.channels} == set(CHANNELS)
    kinds = {Addressed(one.audience.stream).kind for one in here}
    assert kinds == {"everyone", "channel", "user", "connections"}
    for one in here:
        assert [role for role in roles if role.is_addressed(one.audience, [ids[role.place]])]
    assert len({one.id for one in here}) == len(here)


def test_traveller_misses_fifty_frames_and_one_that_is_not_for_it() -> None:
    """Of everyone's stream, of each channel and of its user; the last one leaves it out."""
    traveller = ROLES[TRAVELLER]

    planned = list(sent_while_one_is_away("p", traveller, "old="))

    missed = [one for one in planned if traveller.is_addressed(one.audience, ["old="])]
    assert len(missed) == AWAY_FRAMES == 50
    assert len({one.audience.stream for one in missed}) == 5
    assert [one.audience.exclude for one in planned if one not in missed] == [frozenset({"old="})]


@dataclass
class FakeClient:
    """A client that has received some frames."""

    ids: list[str]
    followers: dict[str, Follower] = field(default_factory=dict)
    listed: list[Any] = field(default_factory=list)

    def take(self, channel: str, seq: int, id_: str, *, is_replayed: bool = False) -> None:
        """Take note of a frame."""
        frame = {"id": id_, "seq": seq, "sentAt": 1, "channel": channel, "message": id_}
        if channel == "!":
            self.listed.append(frame)
            return
        follower = self.followers.setdefault(channel, Follower())
        at = {"epoch": "e", "seq": seq, "to": seq, "frames": [frame] if is_replayed else []}
        if not is_replayed:
            follower.answered(at | {"from": seq - 1, "to": seq - 1})
            follower.come(frame)
        else:
            follower.answered(at | {"from": follower.number})


def account_of(one: Planned, seq: int, delivered: int, excluded: int = 0, **others: Any) -> Account:
    """Return the account of a settled broadcast."""
    return Account(
        id=one.id,
        digest="",
        addressed=Addressed(one.audience.stream),
        seq=seq,
        opened_ms=1,
        expires_ms=0,
        settled_ms=2,
        status="settled",
        counts=Receipt(targeted=delivered, delivered=delivered, excluded=excluded),
        open_slices=0,
        slices=1,
        version=2,
        **others,
    )


HERE = tuple(range(FEWEST_CLIENTS))
NEWS = Planned("n1", Audience(channel="news", exclude=frozenset({"c3="})))
ALICE = Planned("u1", Audience(user="user-0"))
BOTH = Planned("l1", Audience(connections=("c4=", "c5=")))
AWAY = Planned("n2", Audience(channel="news"))
SENT = [Sent(NEWS, HERE), Sent(ALICE, HERE), Sent(BOTH, HERE), Sent(AWAY, HERE[1:])]


def played() -> tuple[list[FakeClient], dict[str, Account]]:
    """Return clients that have received all, and the accounts of what was sent."""
    clients = [FakeClient([id_]) for id_ in IDS]
    clients[TRAVELLER].ids.append("c0b=")
    on_news = [role.place for role in ROLES if "news" in role.channels]
    for place in on_news:
        if place != 3:
            clients[place].take("news", 1, "n1")
        else:
            clients[place].take("news", 2, "n2")
    for place in on_news:
        if place != 3:
            clients[place].take("news", 2, "n2", is_replayed=place == TRAVELLER)
    for place in (0, 1):
        clients[place].take("@", 1, "u1")
    for place in (4, 5):
        clients[place].take("!", 1, "l1")
    there = len(on_news) - 1
    accounts = [
        account_of(NEWS, 1, there, 1),
        account_of(ALICE, 1, 2),
        account_of(BOTH, 1, 2),
        account_of(AWAY, 2, there),
    ]
    return clients, {one.id: one for one in accounts}


def result(clients: Sequence[FakeClient], accounts: dict[str, Account]) -> ChannelsResult:
    """Return what is counted, with what is seen elsewhere."""
    return replace(result_of(ROLES, clients, SENT, accounts), refused=True)


def test_result_is_well_when_all_came() -> None:
    """Excluded ones are counted by the account, what was missed by the traveller's answers."""
    found = result(*played())

    assert found.complaints == []
    assert (found.clients, found.users, found.channels, found.broadcasts) == (6, 3, 3, 4)
    assert (found.to_exclude, found.excluded) == (1, 1)
    assert (found.missed, found.replayed) == (1, 1)
    assert found.expected == found.reception.right == found.as_json()["right"]
    assert "reception" not in found.as_json()


def test_result_tells_what_is_not_right() -> None:
    """A frame that is missing, one for another client, an account, an exclusion."""
    clients, accounts = played()
    clients[COMPANION].followers["@"].taken.clear()
    clients[2].take("!", 9, "l1")
    clients[4].listed.append(clients[4].listed[0] | {"message": "another"})
    accounts["n1"] = replace(accounts["n1"], counts=Receipt(targeted=9, delivered=9))
    accounts["u1"] = replace(accounts["u1"], contradictions=("odd",))

    found = replace(result(clients, accounts), refused=False, rows_left=2, lost=1, replayed=0)

    assert found.complaints == [
        "1 frame missing",
        "2 frames not meant for the client",
        f"{found.expected - 1} frames are right, expected {found.expected}",
        "0 connections were left out, expected 1",
        "0 frames were replayed, expected 1",
        "1 range of frames could not be given",
        "the accounts of 2 broadcasts are wrong",
        "a channel that is not allowed was not refused",
        "2 rows left when all clients have gone",
    ]


def test_result_allows_for_a_client_that_comes_meanwhile() -> None:
    """Its frame is posted, or is in the answer to its join: either is right, and is counted."""
    clients, accounts = played()
    sent = [*SENT[:3], Sent(AWAY, HERE[1:], comes=TRAVELLER)]

    for more, is_wrong in ((0, 0), (1, 0), (2, 1), (-1, 1)):
        counts = accounts["n2"].counts + Receipt(targeted=more, delivered=more)
        others = accounts | {"n2": replace(accounts["n2"], counts=counts)}
        assert result_of(ROLES, clients, sent, others).miscounted == is_wrong


def test_result_is_shown_with_its_complaints(capsys: pytest.CaptureFixture[str]) -> None:
    """A table, and a line on stderr for each; all is well only when there is none."""
    clients, accounts = played()
    well = result(clients, accounts)

    show_channels_result(well)
    good = capsys.readouterr()
    show_channels_result(replace(well, lost=3))
    bad = capsys.readouterr()

    assert "in order, once, and nothing" in good.out
    assert good.err == ""
    assert "3 ranges of frames could not be given" in bad.err
    assert "in order, once, and nothing" not in bad.out


def test_demo_knows_how_many_broadcasts_it_has() -> None:
    """For its progress bar."""
    here = len(list(sent_while_all_are_there("p", ROLES, IDS)))

    assert broadcasts_for(6) == here + AWAY_FRAMES + 1 + len(list(sent_while_one_returns("p")))
