"""Counts a demo of channels: what each client should have, and what it has. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, Protocol

from broadcasting.audience import Audience, channel_in_frame
from broadcasting.followed_channel import Frame
from crier.demo.cast import TRAVELLER, Planned, Role
from crier.demo.channels_result import ChannelsResult, Reception, compared
from crier.demo.follower import Follower
from crier.deployed.account import Account


class Sent(NamedTuple):
    """A broadcast, the places of the clients that were there, and of one that was coming."""

    planned: Planned
    there: tuple[int, ...]
    comes: int | None = None


class Following(Protocol):
    """What a client has received, as `ChannelClient` has it."""

    followers: dict[str, Follower]
    listed: list[Frame]
    ids: list[str]


def result_of(
    roles: Sequence[Role],
    clients: Sequence[Following],
    sent: Sequence[Sent],
    accounts: Mapping[str, Account],
) -> ChannelsResult:
    """Return the figures; those that are not known here are as if all had gone wrong."""
    addressed = {one.planned.id: _places(one.planned.audience, roles, clients) for one in sent}
    followers = [one for client in clients for one in client.followers.values()]
    missed = [one.planned.id for one in sent if TRAVELLER not in (*one.there, one.comes)]
    missed = [one for one in missed if TRAVELLER in addressed[one]]
    return ChannelsResult(
        clients=len(roles),
        users=len({role.user for role in roles}),
        channels=len({channel for role in roles for channel in role.channels}),
        broadcasts=len(sent),
        expected=sum(map(len, addressed.values())),
        reception=sum(_receptions(clients, sent, addressed, accounts), Reception()),
        to_exclude=sum(len(_excluded(one, roles, clients)) for one in sent),
        excluded=sum(one.counts.excluded for one in accounts.values()),
        missed=len(missed),
        replayed=_replayed(clients[TRAVELLER], missed),
        lost=sum(len(one.lost) for one in followers),
        copies=sum(one.copies for one in followers),
        miscounted=sum(_is_miscounted(one, addressed, accounts) for one in sent),
        refused=False,
        seconds_to_catch_up=0.0,
        rows_left=0,
    )


def _places(
    audience: Audience, roles: Sequence[Role], clients: Sequence[Following]
) -> tuple[int, ...]:
    """Return the places of the clients that a broadcast is for, wherever they are."""
    return tuple(
        role.place for role in roles if role.is_addressed(audience, clients[role.place].ids)
    )


def _excluded(one: Sent, roles: Sequence[Role], clients: Sequence[Following]) -> set[int]:
    """Return the places of the clients that are there and that a broadcast leaves out."""
    audience = one.planned.audience
    all_ = _places(replace(audience, exclude=frozenset()), roles, clients)
    return (set(all_) - set(_places(audience, roles, clients))) & set(one.there)


def _receptions(
    clients: Sequence[Following],
    sent: Sequence[Sent],
    addressed: Mapping[str, Sequence[int]],
    accounts: Mapping[str, Account],
) -> Iterator[Reception]:
    """Yield how the frames of each channel came to each client."""
    ordered = sorted(sent, key=lambda one: accounts[one.planned.id].seq)
    for place, client in enumerate(clients):
        received = {
            name: [taken.frame for taken in one.taken] for name, one in client.followers.items()
        }
        received["!"] = client.listed
        for channel, frames in received.items():
            mine = (one.planned for one in ordered if place in addressed[one.planned.id])
            wanted = [one.id for one in mine if channel_in_frame(one.audience.stream) == channel]
            yield compared(_ids(frames, channel), wanted)


def _ids(frames: Iterable[Frame], channel: str) -> list[str]:
    """Return the ids of frames; those that name another channel, or message, are none of ours."""
    return [
        str(one["id"])
        if (one["channel"], one["message"]) == (channel, one["id"])
        else "not a frame of this demo"
        for one in frames
    ]


def _replayed(traveller: Following, missed: Sequence[str]) -> int:
    """Return how many of the frames that were missed came with an answer."""
    taken = [one for follower in traveller.followers.values() for one in follower.taken]
    return sum(one.is_replayed and one.frame["id"] in missed for one in taken)


def _is_miscounted(
    one: Sent, addressed: Mapping[str, Sequence[int]], accounts: Mapping[str, Account]
) -> bool:
    """Whether an account is another than that of the clients that were there."""
    account = accounts[one.planned.id]
    counts, there = account.counts, set(one.there)
    least = len(there & set(addressed[one.planned.id]))
    most = len((there | {one.comes}) & set(addressed[one.planned.id]))
    is_right = least <= counts.delivered <= most and counts.targeted == counts.delivered
    return not is_right or bool(account.contradictions)
