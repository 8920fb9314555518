"""The demo itself, small, on a local AWS of its own; and the local run with `crier send`."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.error import URLError

import pytest

from crier.local.local_aws import LocalAws
from crier.paths import BUILD, ROOT

if TYPE_CHECKING:
    from http.client import HTTPResponse

pytestmark = pytest.mark.timeout(180)


def test_demo_proves_itself_and_writes_its_figures(tmp_path: Path) -> None:
    """A small demo ends well, and its JSON has the promised keys and exact counts."""
    figures = tmp_path / "demo.json"

    done = subprocess.run(
        [sys.executable, "-m", "crier", "demo", "--connections=60", f"--figures={figures}"],
        capture_output=True,
        check=False,
        cwd=ROOT,
        text=True,
        timeout=150,
    )

    assert done.returncode == 0, done.stderr
    found = json.loads(figures.read_text())
    expected = {
        "connections": 60,
        "ghosts": 3,
        "targeted": 63,
        "delivered": 60,
        "gone": 3,
        "failed": 0,
        "received": 60,
        "duplicates": 0,
        "missing": 0,
        "stale_rows_left": 0,
    }
    assert expected.items() <= found.items()
    assert 0 < found["first_seconds"] <= found["last_seconds"]


def test_demo_of_channels_proves_itself_and_writes_its_figures(tmp_path: Path) -> None:
    """Tickets, channels, users, exclude; what one client has missed comes in order, once."""
    figures = tmp_path / "demo.json"
    options = ["--channels", "--connections=8", f"--figures={figures}"]

    done = subprocess.run(
        [sys.executable, "-m", "crier", "demo", *options],
        capture_output=True,
        check=False,
        cwd=ROOT,
        text=True,
        timeout=170,
    )

    assert done.returncode == 0, done.stderr
    found = json.loads(figures.read_text())
    expected = {
        "clients": 8,
        "users": 4,
        "channels": 3,
        "missing": 0,
        "repeated": 0,
        "misplaced": 0,
        "wrong": 0,
        "excluded": 5,
        "missed": 50,
        "replayed": 50,
        "lost": 0,
        "miscounted": 0,
        "refused": True,
        "rows_left": 0,
    }
    assert expected.items() <= found.items()
    assert found["right"] == found["expected"] > 300
    assert "in order, once, and nothing" in done.stdout


def test_local_run_takes_a_broadcast_from_send_and_ends_on_ctrl_c() -> None:
    """`crier local` shows what the functions log, `crier send` finds it, Ctrl-C ends it all."""
    elsewhere = {"AWS_PROFILE": "nobody", "HTTP_PROXY": "http://127.0.0.1:9"}  # no obstacles
    environment = {**os.environ, **elsewhere, "COLUMNS": "200"}
    local = subprocess.Popen(
        [sys.executable, "-u", "-m", "crier", "local"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        _wait_for((BUILD / "local.json").exists, 90)
        send = [sys.executable, "-m", "crier", "send", "--id=hello", "Hear ye!"]
        sent = subprocess.run(  # noqa: PLW1510 - its exit code is looked at
            send, capture_output=True, cwd=ROOT, env=environment, text=True, timeout=60
        )
        assert (sent.returncode, sent.stdout.strip()) == (0, "hello"), sent.stderr
        assert local.stdout is not None
        lines: list[str] = []
        while not lines or "settled" not in lines[-1]:
            lines.append(local.stdout.readline())
            assert lines[-1], "the local run ended"
        assert any(line.startswith("ws://127.0.0.1:") for line in lines)
        page = lines[lines.index("See it in a page\n") + 1].strip()
        assert json.load(_opened(f"{page}local.json"))["auth"] == "open"
        assert lines[-1].startswith("Broadcast ")
        assert '"broadcast_id": "hello"' in lines[-1]
    finally:
        local.send_signal(signal.SIGINT)
        try:
            local.communicate(timeout=30)
        finally:
            local.terminate()

    assert local.returncode == 130
    assert not (BUILD / "local.json").exists()
    with pytest.raises(URLError):
        _opened(page)


def test_local_run_ends_with_its_page_when_the_local_aws_dies() -> None:
    """With `--broadcast-every`, too, whose broadcasts find no queue then."""
    options = ["--broadcast-every=1", "--cut-after-seconds=60"]
    local = subprocess.Popen(
        [sys.executable, "-u", "-m", "crier", "local", *options],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert local.stdout is not None
        while (line := local.stdout.readline()) != "See it in a page\n":
            assert line, "the local run ended"
        page = local.stdout.readline().strip()
        facts = json.load(_opened(f"{page}local.json"))
        listed = [sys.executable, "-m", "crier", "broadcasts", "--channel=news", "--json"]
        _wait_for(lambda: json.loads(subprocess.check_output(listed, cwd=ROOT)), 60)
        os.kill(_local_aws_of(local.pid), signal.SIGKILL)
        _, said = local.communicate(timeout=60)
    finally:
        local.terminate()
        local.communicate()

    assert facts["channels"] == ["news", "sport", "weather"]
    assert facts["cutAfterSeconds"] == 60
    assert local.returncode == 1
    assert "the local AWS has ended by itself" in said
    with pytest.raises(URLError):
        _opened(page)


def _opened(url: str) -> "HTTPResponse":
    answer: HTTPResponse = urllib.request.urlopen(url, timeout=10)  # noqa: S310 - our own URL
    return answer


def _local_aws_of(pid: int) -> int:
    """Return the process of the local AWS that a local run has started."""
    command = ["/bin/ps", "-o", "pid=,args=", "--ppid", str(pid)]
    listed = subprocess.check_output(command, text=True)
    (found,) = (line for line in listed.splitlines() if line.endswith("-m ministack"))
    return int(found.split()[0])


@pytest.fixture
def obeyed_signals() -> Iterator[None]:
    """Have what is started obey all signals: it may be under nohup that the tests run."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.mark.usefixtures("obeyed_signals")
@pytest.mark.parametrize(
    "signals",
    [
        (signal.SIGINT, signal.SIGINT, signal.SIGTERM),
        (signal.SIGHUP, signal.SIGHUP),
    ],
    ids=["impatience", "a closed terminal"],
)
def test_local_run_leaves_nothing_when_it_is_ended_during_the_deploy(
    tmp_path: Path, signals: tuple[signal.Signals, ...]
) -> None:
    """Only the command itself is interrupted, and again while it ends: the CDK ends with it."""
    local = subprocess.Popen(
        [sys.executable, "-m", "crier", "local"],
        cwd=ROOT,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        _wait_for(lambda: any(tmp_path.glob("crier-*/jsii-kernel-*")), 60)
    finally:
        for number in signals:
            local.send_signal(number)
            time.sleep(0.1)
        _, said = local.communicate(timeout=30)

    assert local.returncode == 130
    assert "everything that was started is gone" in said
    time.sleep(2)  # the CDK made its folder again when it lived on
    assert list(tmp_path.iterdir()) == []


def _processes(folder: Path) -> set[int]:
    """Return the processes that a run has started: each has the folder in its environment."""
    return {
        int(process.name)
        for process in Path("/proc").iterdir()
        if process.name.isdecimal() and os.fsencode(folder) in _environment(process)
    }


def _environment(process: Path) -> bytes:
    with suppress(OSError):  # it has ended, or is another user's
        return (process / "environ").read_bytes()
    return b""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    """Return what starts a command whose folders are in `tmp_path`, and kills it at the end."""
    started: list[subprocess.Popen[bytes]] = []

    def start(command: str) -> subprocess.Popen[bytes]:
        one = subprocess.Popen(
            [sys.executable, "-m", "crier", *command.split()],
            cwd=ROOT,
            env={**os.environ, "TMPDIR": str(tmp_path)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        started.append(one)
        return one

    yield start
    for one in started:
        one.kill()
        one.wait()
    (BUILD / "local.json").unlink(missing_ok=True)  # a killed run's counts for none


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="/proc is Linux's")
@pytest.mark.parametrize(
    ("command", "moment"),
    [("demo --connections 20", "crier-*/jsii-kernel-*"), ("local", "crier-*/logs/*")],
    ids=["a demo during its deploy", "a local run with workers"],
)
def test_killed_run_is_ended_by_the_next_one(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    start: Callable[[str], subprocess.Popen[bytes]],
    command: str,
    moment: str,
) -> None:
    """After `kill -9` the local AWS, its workers, the CDK and the folder go at the next start."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    run = start(command)
    if command == "local":
        _wait_for((BUILD / "local.json").exists, 90)
        send = [sys.executable, "-m", "crier", "send", "--wait", "Hear ye!"]
        subprocess.run(send, check=True, cwd=ROOT, stdout=subprocess.DEVNULL, timeout=60)
    _wait_for(lambda: any(tmp_path.glob(moment)), 60)
    (folder,) = tmp_path.glob("crier-*")
    run.kill()
    run.wait()
    assert len(_processes(folder)) >= 2

    with LocalAws() as aws:
        assert list(tmp_path.iterdir()) == [aws.folder]
        assert _processes(folder) == set()
        assert aws.is_running

    assert list(tmp_path.iterdir()) == []


def _wait_for(happened: Callable[[], bool], seconds: float) -> None:
    give_up = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < give_up, f"it did not happen within {seconds} s"
        time.sleep(0.2)
