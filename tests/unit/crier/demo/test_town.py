"""The town whose crier always has something to tell."""

import json
from typing import TYPE_CHECKING, Any, cast

import pytest
from botocore.exceptions import EndpointConnectionError

from broadcasting.message import parse_broadcast
from crier.demo.town import CHANNELS, Town, bulletin

if TYPE_CHECKING:
    from crier.deployed.deployment import Deployment


class FakeQueue:
    """A deployment and its queue in one; keeps what is sent, or is down."""

    broadcast_queue_url = "http://here/broadcasts"

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.is_down = False

    def client(self, _service: str) -> "FakeQueue":
        """Return the queue's client, which is the fake itself."""
        return self

    def send_message(self, *, QueueUrl: str, MessageBody: str) -> dict[str, str]:  # noqa: N803
        """Take a message, or raise as boto3 does when no server is there."""
        if self.is_down:
            raise EndpointConnectionError(endpoint_url=QueueUrl)
        self.sent.append(json.loads(MessageBody))
        return {"MessageId": "m"}


@pytest.fixture
def queue() -> FakeQueue:
    """A queue that takes what comes."""
    return FakeQueue()


@pytest.fixture
def town(queue: FakeQueue) -> Town:
    """A town that has something to tell every two seconds."""
    return Town(cast("Deployment", queue), every_seconds=2)


def test_bulletins_are_for_each_channel_and_for_everyone_in_turn() -> None:
    """Those for everyone have no channel."""
    found = [bulletin(number).get("channel") for number in range(8)]

    assert found == [*CHANNELS, None] * 2


def test_bulletins_are_broadcasts() -> None:
    """The function would reject none of them."""
    bodies = [json.dumps(bulletin(number)) for number in range(400)]

    assert all(parse_broadcast(body, "m").message is not None for body in bodies)
    assert len(set(bodies)) > 50


def test_town_tells_a_bulletin_each_time_its_seconds_are_over(town: Town, queue: FakeQueue) -> None:
    """The first one at once; a moment late does not make the next one late."""
    for now in (100.0, 101.9, 102.1, 103.9, 104.0):
        town.tell(now)

    assert queue.sent == [bulletin(0), bulletin(1), bulletin(2)]


def test_town_makes_up_for_nothing_when_it_was_held_up(town: Town, queue: FakeQueue) -> None:
    """After a minute it tells one bulletin, not thirty."""
    for now in (100.0, 160.0, 160.2, 161.8):
        town.tell(now)

    assert queue.sent == [bulletin(0), bulletin(1)]


def test_bulletin_that_cannot_be_sent_is_left_out(town: Town, queue: FakeQueue) -> None:
    """The local run says by itself that the local AWS has ended."""
    town.tell(100.0)
    queue.is_down = True
    town.tell(102.0)
    queue.is_down = False
    town.tell(104.0)

    assert queue.sent == [bulletin(0), bulletin(2)]
