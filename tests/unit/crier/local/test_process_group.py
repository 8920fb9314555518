"""Ending what was started, and what that has started in turn."""

import os
import subprocess

import pytest

from crier.local import process_group
from crier.local.process_group import end_group


@pytest.mark.parametrize(
    "script",
    [
        "sleep 60 & echo; wait",
        "sleep 60 & echo; exit 0",
        "trap '' TERM; sleep 60 & echo; exec sleep 60",
        "sh -c 'trap \"\" TERM; echo; exec sleep 60' & wait",
    ],
    ids=["the leader waits", "the leader has ended", "all ignore SIGTERM", "a child ignores it"],
)
def test_end_group_returns_when_nobody_runs(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """When it returns no process has the output open any more: not the leader, and no child."""
    monkeypatch.setattr(process_group, "_ASK_SECONDS", 0.2)
    monkeypatch.setattr(process_group, "_END_SECONDS", 0.2)
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb", buffering=0) as output:
        process = subprocess.Popen(["/bin/sh", "-c", script], stdout=writer, start_new_session=True)
        os.close(writer)
        assert output.read(1) == b"\n"

        end_group(process)

        os.set_blocking(reader, False)
        assert output.read(1) == b""  # None when a process could still write
    assert process.returncode is not None
