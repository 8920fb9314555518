"""Starting the local AWS: what its user is told when it fails."""

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from crier.errors import CrierError
from crier.local import local_aws
from crier.local.local_aws import LocalAws, LocalEndpoint


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return where the runs have their folders, to see what they leave."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def taken_port() -> Iterator[int]:
    """Yield a port on which something else listens."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def install_ministack(folder: Path, monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    """Let the local AWS be a shell script."""
    python = folder / "python"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o700)
    monkeypatch.setattr(local_aws, "PYTHON", str(python))


def test_local_aws_names_the_port_when_it_is_taken(temporary: Path, taken_port: int) -> None:
    """A taken port is an error that names it and says what to type; nothing is left."""
    aws = LocalAws(taken_port)

    with pytest.raises(CrierError) as caught, aws:
        pass

    assert f"port {taken_port} of 127.0.0.1 cannot be used" in str(caught.value)
    assert "--port" in str(caught.value)
    assert list(temporary.iterdir()) == []


def test_local_aws_says_what_it_printed_when_it_ends_at_its_start(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start that fails is an error with the last output; nothing is left."""
    install_ministack(tmp_path, monkeypatch, "echo first; echo 'no such module' >&2; exit 1")
    aws = LocalAws()

    with pytest.raises(CrierError) as caught, aws:
        pass

    assert str(caught.value) == "the local AWS ended at its start:\nfirst\nno such module"
    assert list(temporary.iterdir()) == []


def test_local_aws_is_ended_when_it_does_not_answer(
    tmp_path: Path, temporary: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A start that takes too long is an error; the process is ended and nothing is left."""
    install_ministack(tmp_path, monkeypatch, f"echo $$ > {tmp_path}/pid; exec sleep 60")
    monkeypatch.setattr(local_aws, "_START_SECONDS", 0.3)
    aws = LocalAws()

    with pytest.raises(CrierError, match="did not answer within"), aws:
        pass

    assert not aws.is_running
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)
    assert list(temporary.iterdir()) == []


def test_local_aws_closes_when_it_never_started(temporary: Path) -> None:
    """Closing what has not been started deletes its folder."""
    aws = LocalAws()

    aws.close()

    assert not aws.is_running
    assert list(temporary.iterdir()) == []


def test_endpoint_environment_names_the_local_aws_only() -> None:
    """A process with this environment uses the local AWS, with credentials that are no secret."""
    endpoint = LocalEndpoint("http://127.0.0.1:4566")

    environment = endpoint.environment

    assert environment == {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
