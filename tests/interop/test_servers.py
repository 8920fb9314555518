"""How servers that are not ours are found, started and ended."""

import socket
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.support.server_process import REQUIRED, ServerProcess, find_server

LISTENS = """
import socket, sys, time
with socket.create_server(("127.0.0.1", int(sys.argv[1]))):
    print("listening", flush=True)
    time.sleep(60)
"""
ENDS = "raise SystemExit('no such option')"


def python(script: str) -> Callable[[int], Sequence[str]]:
    """Return what makes the command that runs a script, with the port as its argument."""
    return lambda port: (sys.executable, "-c", script, str(port))


def test_find_server_skips_the_test_when_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """The reason says what to install."""
    monkeypatch.delenv(REQUIRED, raising=False)

    with pytest.raises(pytest.skip.Exception) as skipped:
        find_server("no-such-server", "its-package")

    assert "apt-get install its-package" in str(skipped.value)


def test_find_server_fails_the_test_when_it_is_missing_and_required(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In CI no proof is left out without a word."""
    monkeypatch.setenv(REQUIRED, "1")

    with pytest.raises(pytest.fail.Exception) as failed:
        find_server("no-such-server", "its-package")

    assert "apt-get install its-package" in str(failed.value)


def test_ci_requires_the_servers() -> None:
    """It sets the variable that makes the difference."""
    ci = Path(__file__).parents[2] / ".ci" / "run"

    assert f"export {REQUIRED}=1" in ci.read_text()


def test_server_has_ended_when_its_test_has_failed(tmp_path: Path) -> None:
    """It listens while the test runs, and no longer."""
    server = ServerProcess(tmp_path, python(LISTENS))

    def fail() -> None:
        with server:
            socket.create_connection(("127.0.0.1", server.port)).close()
            raise AssertionError("the test")

    with pytest.raises(AssertionError, match="the test"):
        fail()

    assert server.printed == "listening\n"
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", server.port))


def test_server_that_does_not_listen_is_told_with_its_words(tmp_path: Path) -> None:
    """It has said what is wrong."""
    server = ServerProcess(tmp_path, python(ENDS))

    with pytest.raises(RuntimeError, match="no such option"):
        server.__enter__()
