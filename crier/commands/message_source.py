"""Where the message of `crier send` comes from: its argument, standard input or a file."""

import sys
from typing import BinaryIO

import typer

from crier import terminal

MOST_BYTES = 1024 * 1024
"""The largest body that SQS takes: nothing larger can be enqueued, however it is written.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
"""

_MOST_COUNTED_BYTES = 64 * MOST_BYTES
"""How much of a message that is too large is read, to say its size: a stream may be endless."""

_STANDARD_INPUT = "-"
_UTF_16_MARKS = (b"\xff\xfe", b"\xfe\xff")


def read_message(argument: str | None, file: str | None) -> str:
    """Return the message: the argument itself, or what it or `file` names; `-` is standard input.

    The byte-order mark at the beginning of a file, and one line break at its end, are not part of
    its text. Raises typer.BadParameter when the message is missing, unreadable, not UTF-8 or larger
    than 1 MiB.
    """
    if argument is not None and file is not None:
        raise typer.BadParameter("found both MESSAGE and --file, expected one of them")
    if argument is None and file is None:
        raise typer.BadParameter(
            "found no message, expected MESSAGE, - for standard input, or --file PATH"
        )
    if _STANDARD_INPUT in (argument, file):
        return _decode(_read_standard_input(), "standard input")
    if file is not None:
        return _decode(_read_file(file), file)
    return argument or ""


def _read_standard_input() -> bytes:
    name = "standard input"
    if sys.stdin is None:  # a shell's `<&-`
        raise typer.BadParameter(f"{name} is closed, expected a message there")
    if sys.stdin.isatty():
        terminal.note("Type the message; Ctrl-D at the beginning of a line ends it.")
    try:
        return _read(sys.stdin.buffer, name)
    except OSError as error:
        raise _unreadable(name, error) from error


def _read_file(path: str) -> bytes:
    if not path:
        raise typer.BadParameter(
            "--file is empty, expected the name of a file; is a variable not set?"
        )
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - a Path would change what was typed
            return _read(file, path)
    except OSError as error:
        raise _unreadable(path, error) from error


def _unreadable(name: str, error: OSError) -> typer.BadParameter:
    if isinstance(error, FileNotFoundError):
        return typer.BadParameter(f"{name} is not there, expected a file with the message")
    if isinstance(error, IsADirectoryError):
        return typer.BadParameter(f"{name} is a folder, expected a file with the message")
    return typer.BadParameter(f"{name} cannot be read: {error.strerror}")


def _read(stream: BinaryIO, name: str) -> bytes:
    content = stream.read(MOST_BYTES + 1)
    if len(content) <= MOST_BYTES:
        return content
    size = len(content)
    while size <= _MOST_COUNTED_BYTES and (more := stream.read(MOST_BYTES)):
        size += len(more)
    found = f"more than {_MOST_COUNTED_BYTES:,}" if size > _MOST_COUNTED_BYTES else f"{size:,}"
    raise typer.BadParameter(
        f"{name} has {found} bytes, expected at most {MOST_BYTES:,} (1 MiB), the largest body that "
        "SQS takes; send less, or send a link"
    )


def _decode(content: bytes, name: str) -> str:
    try:
        text = content.decode().removeprefix("\ufeff")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        guess = " (UTF-16?)" if content.startswith(_UTF_16_MARKS) else ""
        raise typer.BadParameter(
            f"{name} is not UTF-8{guess}: found byte 0x{content[error.start]:02x} at offset "
            f"{error.start}, in line {line}; save it as UTF-8"
        ) from error
    return text[:-1].removesuffix("\r") if text.endswith("\n") else text
