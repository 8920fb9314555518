"""Frames of a range of numbers: no others are read, none twice, and no more than are needed."""

from typing import Any

import pytest

from broadcasting.ledger_rows import FrameRow
from storage.errors import ReadError
from storage.frame_cache import FrameCache, row_bytes
from storage.frames import FrameReader
from storage.patience import Patience
from testbed.model.fakes import FAR, half
from tests.support.client_scene import EPOCH_OF_ALL, Scene
from tests.support.wire_dynamo import BROADCASTS, WireSession

ROW = FrameRow("*", 1, "x" * 1_000, epoch=EPOCH_OF_ALL)


@pytest.fixture
def scene() -> Scene:
    """A stream with nine frames."""
    scene = Scene()
    scene.broadcasts("*", 9)
    return scene


def _reader(scene: Scene, cache: FrameCache | None = None) -> FrameReader:
    client: Any = WireSession(scene.wire).create_client("dynamodb")
    return FrameReader(
        client, BROADCASTS, patience=Patience(scene.wire.time.clock, half), cache=cache
    )


def _numbers(reader: FrameReader, numbers: range, most_bytes: int = 10**6) -> tuple[list[int], int]:
    found = reader.read("*", EPOCH_OF_ALL, numbers, most_bytes=most_bytes, ends_at=FAR)
    return sorted(found.rows), found.until


@pytest.mark.parametrize("numbers", [range(3, 6), range(4, 5), range(1, 10)])
def test_frames_of_a_range_are_read_and_no_others(scene: Scene, numbers: range) -> None:
    """With one query, strongly consistently: a row that was written just now is there."""
    found = _numbers(_reader(scene), numbers)

    assert found == (list(numbers), numbers[-1])
    assert [one["ConsistentRead"] for one in scene.wire.bodies] == [True]


def test_frames_that_were_read_are_not_read_again(scene: Scene) -> None:
    """Of a wider range, what is not in memory is."""
    reader = _reader(scene)
    _numbers(reader, range(1, 6))

    found = _numbers(reader, range(3, 8))

    assert found == ([3, 4, 5, 6, 7], 7)
    firsts = [one["ExpressionAttributeValues"][":first"]["S"] for one in scene.wire.bodies]
    assert firsts == ["frame#000000000001", "frame#000000000006"]


@pytest.mark.parametrize(
    ("most_bytes", "until"), [(1, 1), (2 * row_bytes(ROW), 2), (2 * row_bytes(ROW) + 1, 3)]
)
def test_frames_are_read_until_there_are_bytes_enough(
    scene: Scene, most_bytes: int, until: int
) -> None:
    """The last one may be more than enough."""
    cache = FrameCache()
    for number in range(1, 5):
        cache.put(ROW._replace(seq=number))

    found = _numbers(_reader(scene, cache), range(1, 10), most_bytes)

    assert found == (list(range(1, until + 1)), until)
    assert scene.wire.requests == []


def test_frames_that_cannot_be_read_are_an_error(scene: Scene) -> None:
    """It says of which stream they are."""
    scene.wire.faults = ["refuse"]

    with pytest.raises(ReadError, match=r"frames of channel#\* not read: .*AccessDenied"):
        _numbers(_reader(scene), range(1, 10))
