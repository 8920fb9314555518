"""The stand-in as a process: its lines, its wrong uses, its end."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from testbed.stand_in.behaviour import Behaviour
from testbed.stand_in.process import StandInError, StandInProcess
from testbed.stand_in.report import Report
from tests.support.wire_client import Client

ROOT = Path(__file__).parents[3]
QUICK = Behaviour(latency_median_seconds=0.0)


def _run(*arguments: str, lines: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "testbed.stand_in", *arguments],
        cwd=ROOT,
        input=lines,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_process_serves_and_reports() -> None:
    """Over TLS, on a core of its own, with another behaviour when told."""
    core = min(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None

    with StandInProcess(QUICK, cpu=core) as stand_in:
        with Client(stand_in.url, stand_in.ca_path) as client:
            statuses = [client.post(), client.post()]
            first = stand_in.report()
            stand_in.behave(Behaviour(latency_median_seconds=0.0, gone_share=1.0))
            statuses.append(client.post())
            second = stand_in.report()
        is_pinned = core is None or os.sched_getaffinity(stand_in.pid) == {core}
        ca_path = stand_in.ca_path

    assert statuses == [200, 200, 410]
    assert (first.answers, first.delivered, first.duplicates) == ({200: 2}, 2, 1)
    assert (second.answers, second.posts) == ({410: 1}, 1)
    assert is_pinned
    assert not _is_alive(stand_in.pid)
    assert ca_path is not None
    assert not ca_path.exists()


def test_process_serves_without_tls() -> None:
    """There is no CA then."""
    with StandInProcess(QUICK, tls=False) as stand_in, Client(stand_in.url) as client:
        status = client.post()

    assert (status, stand_in.ca_path) == (200, None)
    assert stand_in.url.startswith("http://127.0.0.1:")


def test_process_is_ended_when_its_user_fails() -> None:
    """No process stays behind."""
    stand_in = StandInProcess(QUICK, tls=False)

    with pytest.raises(RuntimeError, match="ours"), stand_in:
        raise RuntimeError("ours")

    assert not _is_alive(stand_in.pid)


def test_process_says_so_when_it_has_ended() -> None:
    """A command that is not obeyed is an error, not a wait."""
    with StandInProcess(QUICK, tls=False) as stand_in:
        stand_in._child.kill()
        stand_in._child.wait()

        with pytest.raises(StandInError, match="ended"):
            stand_in.report()


def test_process_obeys_lines_and_refuses_others() -> None:
    """Each line is answered with one line; a wrong one ends nothing."""
    commands = [
        '{"do": "dance"}',
        "nonsense",
        "[]",
        '{"do": "behave", "behaviour": {"gone_share": 2}}',
        '{"do": "behave", "behaviour": 3}',
        '{"do": "behave", "behaviour": {"seed": 2}}',
        '{"do": "report"}',
    ]

    done = _run("{}", "--no-tls", lines="\n".join(commands) + "\n")
    hello, *answers = map(json.loads, done.stdout.splitlines())

    assert done.returncode == 0
    assert (set(hello), hello["ca"]) == ({"url", "ca", "pid"}, None)
    assert [("error" in answer) for answer in answers] == [True] * 5 + [False] * 2
    assert "gone_share" in answers[3]["error"]
    assert answers[5] == {"ok": True}
    assert Report.from_facts(answers[6]).posts == 0


@pytest.mark.parametrize("behaviour", ["nonsense", "[]", '{"gone_share": 2}', '{"what": 1}'])
def test_process_refuses_a_wrong_behaviour(behaviour: str) -> None:
    """Exit status 2, a message without a traceback, and nothing on standard output."""
    done = _run(behaviour)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("stand-in: wrong behaviour: ")
    assert "Traceback" not in done.stderr


def test_process_refuses_a_core_that_is_not_there() -> None:
    """Its user is told at once, and nothing stays behind."""
    stand_in = StandInProcess(QUICK, cpu=1_000_000)

    with pytest.raises(StandInError, match="ended"):
        stand_in.__enter__()

    assert stand_in._child.returncode == 2


def test_report_survives_json_without_what_each_received() -> None:
    """The JSON of a million connections would be large."""
    report = Report(
        posts=3,
        answers={200: 2, 410: 1},
        delivered=2,
        duplicates=1,
        connections_reached=1,
        malformed=0,
        unsigned=0,
        http_connections_opened=1,
        handshakes=1,
        cpu_seconds=0.5,
        wall_seconds=1.5,
        received={"a": 2},
    )

    again = Report.from_json(report.to_json())

    assert again == report
    assert again.received == {}
