"""Where the message of `crier send` comes from."""

import errno
import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import typer

from crier.commands.message_source import MOST_BYTES, read_message


class _Terminal(io.TextIOWrapper):
    """A standard input that a person types."""

    def isatty(self) -> bool:
        """Say that it is a terminal."""
        return True


@pytest.fixture
def standard_input(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """Return what sets the bytes that come from standard input."""

    def come(content: bytes) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))

    return come


def refusal(argument: str | None, file: str | None) -> str:
    """Return what is said when no message is read."""
    with pytest.raises(typer.BadParameter) as caught:
        read_message(argument, file)
    return str(caught.value)


@pytest.mark.parametrize("argument", ["Hear ye!", "", "--", "a\n", "\ufeffa", "news.json"])
def test_message_is_the_argument(argument: str) -> None:
    """It is nothing else, an empty one too: no file of that name is looked for."""
    assert read_message(argument, None) == argument


CONTENTS = [
    (b'{"a": 1}\n', '{"a": 1}'),
    (b"", ""),
    (b"\n", ""),
    (b"a\r\n", "a"),
    (b"a\n\n", "a\n"),
    (b"a\r", "a\r"),
    (b" a ", " a "),
    ("\ufeffOyez ✓\n".encode(), "Oyez ✓"),
    (b"a" * MOST_BYTES, "a" * MOST_BYTES),
]


@pytest.mark.parametrize(("content", "text"), CONTENTS, ids=range(len(CONTENTS)))
@pytest.mark.parametrize("from_file", [True, False])
def test_message_is_what_a_file_or_standard_input_has(
    tmp_path: Path,
    standard_input: Callable[[bytes], None],
    content: bytes,
    text: str,
    from_file: bool,  # noqa: FBT001
) -> None:
    """Without the mark of UTF-8 at its beginning, and the one line break that `echo` adds."""
    file = tmp_path / "news.json"
    file.write_bytes(content)
    standard_input(content)

    read = read_message(None, str(file)) if from_file else read_message("-", None)

    assert read == text


def test_message_is_standard_inputs_when_the_file_is_a_dash(
    standard_input: Callable[[bytes], None],
) -> None:
    """As with other commands."""
    standard_input(b"Hear ye!")

    assert read_message(None, "-") == "Hear ye!"


def test_message_comes_from_a_pipe() -> None:
    """A file need not be one: a shell's `<(command)` is a pipe."""
    reader, writer = os.pipe()
    os.write(writer, b"Hear ye!")
    os.close(writer)

    read = read_message(None, f"/dev/fd/{reader}")

    os.close(reader)
    assert read == "Hear ye!"


def test_message_on_a_terminal_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """How to end it is said on stderr, so that no person waits for nothing."""
    monkeypatch.setattr(sys, "stdin", _Terminal(io.BytesIO(b"typed\n")))

    assert read_message("-", None) == "typed"

    shown = capfd.readouterr()
    assert "Ctrl-D" in shown.err
    assert shown.out == ""


def test_message_is_refused_when_there_are_two_or_none() -> None:
    """What is meant is not guessed."""
    assert refusal("a", "b") == "found both MESSAGE and --file, expected one of them"
    assert refusal("-", "b") == "found both MESSAGE and --file, expected one of them"
    assert refusal("", "b") == "found both MESSAGE and --file, expected one of them"
    assert refusal(None, None).startswith("found no message, expected MESSAGE, - for standard")


def test_message_is_refused_when_its_file_cannot_be_read(tmp_path: Path) -> None:
    """Each reason names the file as it was typed."""
    file, circle = tmp_path / "file", tmp_path / "circle"
    file.touch()
    circle.symlink_to(circle)

    assert refusal(None, f"{tmp_path}/none") == (
        f"{tmp_path}/none is not there, expected a file with the message"
    )
    assert (
        refusal(None, "") == "--file is empty, expected the name of a file; is a variable not set?"
    )
    assert refusal(None, f"{tmp_path}/") == (
        f"{tmp_path}/ is a folder, expected a file with the message"
    )
    assert refusal(None, f"{file}/x") == f"{file}/x cannot be read: Not a directory"
    assert refusal(None, str(circle)).startswith(f"{circle} cannot be read: Too many levels")


def test_message_is_refused_when_standard_input_cannot_be_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A terminal that has gone away, or none at all."""

    def read(_size: int) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    gone = SimpleNamespace(isatty=lambda: False, buffer=SimpleNamespace(read=read))
    monkeypatch.setattr(sys, "stdin", gone)
    assert refusal("-", None) == "standard input cannot be read: Input/output error"

    monkeypatch.setattr(sys, "stdin", None)
    assert refusal("-", None) == "standard input is closed, expected a message there"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"ab\ncd\xffe", "is not UTF-8: found byte 0xff at offset 5, in line 2; save it as UTF-8"),
        (b"\xe9t\xe9", "is not UTF-8: found byte 0xe9 at offset 0, in line 1"),
        (b"ok\xe2\x82", "is not UTF-8: found byte 0xe2 at offset 2, in line 1"),
        (b"\xef\xbb\xbf\xff", "is not UTF-8: found byte 0xff at offset 3, in line 1"),
        ("\ufeffhear".encode("utf-16-le"), "is not UTF-8 (UTF-16?): found byte 0xff at offset 0"),
    ],
)
def test_message_is_refused_when_it_is_not_utf_8(
    tmp_path: Path, standard_input: Callable[[bytes], None], content: bytes, words: str
) -> None:
    """The reason says which byte it is that is none."""
    file = tmp_path / "news.json"
    file.write_bytes(content)
    standard_input(content)

    assert refusal(None, str(file)).startswith(f"{file} {words}")
    assert refusal("-", None).startswith(f"standard input {words}")


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (MOST_BYTES + 1, "1,048,577"),
        (3 * MOST_BYTES, "3,145,728"),
        (65 * MOST_BYTES, "more than 67,108,864"),
    ],
)
def test_message_is_refused_when_it_is_larger_than_sqs_takes(
    tmp_path: Path, size: int, said: str
) -> None:
    """The reason says how large it is, as far as that is read, and how large it may be."""
    file = tmp_path / "news.json"
    with file.open("wb") as sparse:
        sparse.truncate(size)

    assert refusal(None, str(file)).startswith(
        f"{file} has {said} bytes, expected at most 1,048,576 (1 MiB), the largest body that SQS "
        "takes; "
    )


def test_message_is_refused_when_standard_input_has_no_end() -> None:
    """It is not read for ever."""
    assert "/dev/zero has more than " in refusal(None, "/dev/zero")
