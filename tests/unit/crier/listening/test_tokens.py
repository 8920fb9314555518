"""Where tokens come from: a text, or a command of the shell."""

import asyncio
import os
from pathlib import Path

import pytest

from crier.listening.effects import TokenReason
from crier.listening.opening import Denied, TokenFailure
from crier.listening.tokens import CommandToken, FixedToken
from tests.support.waiting import until


async def _printed(command: str, reason: TokenReason = TokenReason.FIRST) -> str:
    """Return the token that a command gives, or why it gives none."""
    token = await CommandToken(command).get(reason)
    return token.message if isinstance(token, TokenFailure) else token


@pytest.mark.parametrize("token", ["secret", None])
async def test_fixed_token_is_the_same_each_time(token: str | None) -> None:
    """When it is refused, there is no other."""
    tokens = FixedToken(token)

    assert [await tokens.get(reason) for reason in TokenReason] == [token] * 4
    assert tokens.most_denials == 1


@pytest.mark.parametrize(
    ("command", "token"),
    [
        ("echo a.b", "a.b"),
        ("printf a.b", "a.b"),
        ("echo note >&2; echo a.b", "a.b"),
        ("echo note; printf ' a.b \\r\\n\\n  \\n'", "a.b"),
        ("cat; echo ended", "ended"),
    ],
)
async def test_token_is_the_last_line_that_a_command_prints(command: str, token: str) -> None:
    """Blanks around it do not belong to it; there is nothing to read on standard input."""
    assert await _printed(command) == token


@pytest.mark.parametrize(("status", "is_denied"), [(77, True), (76, False), (1, False)])
async def test_command_denies_with_its_exit_code(status: int, *, is_denied: bool) -> None:
    """That of a permission that is not given; any other failure is of this time only."""
    found = await CommandToken(f"echo 'no, thanks' >&2; exit {status}").get(TokenReason.FIRST)

    assert isinstance(found, TokenFailure)
    assert isinstance(found, Denied) is is_denied
    assert found.message == f"the token command ended with {status}: no, thanks"


@pytest.mark.parametrize("reason", TokenReason)
async def test_command_is_told_why_a_token_is_asked_for(reason: TokenReason) -> None:
    """By an environment variable, beside those that there are."""
    assert await _printed('echo "$CRIER_TOKEN_REASON $HOME"', reason) == (
        f"{reason} {os.environ['HOME']}"
    )


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("echo a.b; exit 3", "the token command ended with 3: it said nothing"),
        ("echo log; echo 'log in first' >&2; exit 1", "ended with 1: log in first"),
        ("printf '%0300d' 1 >&2; exit 1", "ended with 1: " + "0" * 200),
        ("printf 'a\\377b' >&2; exit 1", "ended with 1: a\ufffdb"),
        ("no-such-command-at-all", "ended with 127"),
        ("kill -9 $$", "the token command ended with -9: it said nothing"),
        ("x" * 200_000, "the token command could not be run: Argument list too long"),
        ("true", "the token command printed nothing"),
        ("echo ' '", "the token command printed nothing"),
    ],
)
async def test_command_that_gives_no_token_says_why(command: str, why: str) -> None:
    """By its own last words, if it has any, in part."""
    found = await _printed(command)

    assert why in found
    assert len(found) < 260


async def test_command_that_does_not_end_is_ended() -> None:
    """With all that it has started, after a time."""
    tokens = CommandToken("sleep 600 & echo a.b; sleep 600", most_seconds=0.05)

    token = await tokens.get(TokenReason.FIRST)

    assert isinstance(token, TokenFailure)
    assert token.message == "the token command has not ended in 0.05 s"


async def test_command_is_ended_when_no_token_is_wanted_any_more(tmp_path: Path) -> None:
    """Its whole group is; no process is left."""
    fifo = tmp_path / "begun"
    os.mkfifo(fifo)
    asking = asyncio.create_task(
        CommandToken(f"sleep 600 & echo $! > {fifo}; wait").get(TokenReason.FIRST)
    )
    child = int(await asyncio.to_thread(fifo.read_text))

    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking

    status = Path(f"/proc/{child}/status")
    assert await until(lambda: not status.exists() or "zombie" in status.read_text())


def test_refused_token_of_a_command_is_replaced_once() -> None:
    """A fresh one that is refused, too, is the last one."""
    assert CommandToken("true").most_denials == 2
