"""Counts what came of a storm, from its clients and what was broadcast."""

from collections.abc import Sequence

from testbed.soak.sent import Sent, by_stream
from testbed.storm.member import Member
from testbed.storm.stormed import Stormed
from testbed.storm.verdict import expected_by, wrong_storm


def count_clients(stormed: Stormed, members: Sequence[Member], sent: Sequence[Sent]) -> None:
    """Fill in what was broadcast, what the clients were told, and each broken promise."""
    diaries = [one.diary for one in members]
    streams, _ = by_stream(sent)
    stormed.complaints += wrong_storm(diaries, sent)
    stormed.broadcasts = len(sent)
    stormed.expected = sum(
        len(expected_by(one, channel, streams)) for one in diaries for channel in one.channels
    )
    stormed.received = sum(one.received for one in diaries)
    stormed.replayed = sum(one.replayed for one in diaries)
    stormed.posted = sum(one.posts.total() for one in members)
    stormed.doubled = stormed.posted - sum(len(one.posts) for one in members)
    stormed.reconnects = sum(max(0, one.joins - 1) for one in diaries)
    stormed.renewals = sum(one.renewals for one in members)
    stormed.returns = [one for member in members for one in member.returns.all]
