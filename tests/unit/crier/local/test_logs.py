"""Following the functions' log files."""

from pathlib import Path

import pytest

from crier.local.logs import LogFollower, LogLine


def test_follower_yields_lines_once(tmp_path: Path) -> None:
    """A line is yielded by the first question after it came, and by no other."""
    (tmp_path / "connect.log").write_text("one\ntwo\n")
    follower = LogFollower(tmp_path)

    first, second = list(follower.new_lines()), list(follower.new_lines())

    assert first == [LogLine("connect", "one"), LogLine("connect", "two")]
    assert second == []


def test_follower_keeps_a_line_back_when_it_is_partial(tmp_path: Path) -> None:
    """A line without its end is read the next time, with its end."""
    log = tmp_path / "connect.log"
    log.write_text("one\ntw")
    follower = LogFollower(tmp_path)

    first = list(follower.new_lines())
    with log.open("a") as file:
        file.write("o\n")
    second = list(follower.new_lines())

    assert first == [LogLine("connect", "one")]
    assert second == [LogLine("connect", "two")]


def test_follower_keeps_a_character_whole_when_its_bytes_come_apart(tmp_path: Path) -> None:
    """A character of several bytes that is written in two parts is read as one."""
    log, hear_ye = tmp_path / "connect.log", "Hört!\n".encode()
    log.write_bytes(hear_ye[:2])
    follower = LogFollower(tmp_path)

    first = list(follower.new_lines())
    with log.open("ab") as file:
        file.write(hear_ye[2:])
    second = list(follower.new_lines())

    assert first == []
    assert second == [LogLine("connect", "Hört!")]


def test_follower_finds_a_file_when_it_comes_later(tmp_path: Path) -> None:
    """A function's file is followed from its beginning, whenever it comes; others are not."""
    (tmp_path / "broadcast.log").write_text("one\n")
    follower = LogFollower(tmp_path)

    before = list(follower.new_lines())
    (tmp_path / "worker.log").write_text("two\n")
    (tmp_path / "note.txt").write_text("three\n")
    after = list(follower.new_lines())

    assert before == [LogLine("broadcast", "one")]
    assert after == [LogLine("worker", "two")]


def test_follower_yields_nothing_when_the_folder_is_not_there(tmp_path: Path) -> None:
    """A folder that no function has written to yet has no lines."""
    follower = LogFollower(tmp_path / "logs")

    lines = list(follower.new_lines())

    assert lines == []


def test_line_has_fields_when_it_is_an_object() -> None:
    """A structured line says what it says."""
    line = LogLine("connect", '{"level": "INFO", "message": "connected"}')

    fields = line.fields

    assert fields == {"level": "INFO", "message": "connected"}


@pytest.mark.parametrize("text", ["Traceback", "[1, 2]", "12", "null", ""])
def test_line_has_no_fields_when_it_is_no_object(text: str) -> None:
    """Other lines have no fields, JSON or not."""
    line = LogLine("connect", text)

    fields = line.fields

    assert fields == {}


def test_follower_splits_at_line_ends_only(tmp_path: Path) -> None:
    """A message may hold any of Unicode's other line separators."""
    (tmp_path / "f.log").write_bytes('{"message":"a\u2028b"}\n'.encode())

    (line,) = LogFollower(tmp_path).new_lines()

    assert line.fields == {"message": "a\u2028b"}


@pytest.mark.parametrize(
    ("function", "name"),
    [
        ("crier-dev-Broadcast21A29F1F-0A1B2C3D4E5F", "Broadcast"),
        ("crier-dev-Connect5B7EF7A3-XYZ", "Connect"),
        ("crier-dev-ClientFrame0123ABCD-0123ABCD", "ClientFrame"),
        ("something-else", "something-else"),
    ],
)
def test_line_has_the_functions_name_in_the_stack(function: str, name: str) -> None:
    """A reader sees the function's own name, whole, without what the deploy puts around it."""
    line = LogLine(function, "text")

    assert line.name == name
