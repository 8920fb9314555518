"""A secret of Secrets Manager: which versions are read, and what is said when one is not."""

import json
from typing import Any

import pytest
from botocore.exceptions import ConnectTimeoutError

from storage.door_table import DOOR_CONFIG
from storage.errors import ReadError
from storage.secret import Secret
from tests.support.authorizing import NO_VERSION, failed, version
from tests.support.boto_wire import BotoWire, UnreachableWire, WiredSession


def _secret(wire: BotoWire, *answers: tuple[int, Any]) -> Secret:
    wire.answers += [(status, json.dumps(body).encode()) for status, body in answers]
    client = WiredSession(wire).create_client("secretsmanager", config=DOOR_CONFIG)
    return Secret(client, "crier/secret")


def test_secret_has_a_current_version_and_the_one_before() -> None:
    """Each is asked for by its stage."""
    wire = BotoWire()
    secret = _secret(wire, version(b"new"), version(b"old"))

    assert (secret.current(), secret.previous()) == (b"new", b"old")
    assert [json.loads(body)["VersionStage"] for body in wire.bodies] == [
        "AWSCURRENT",
        "AWSPREVIOUS",
    ]


def test_secret_has_no_version_before_when_it_was_never_rotated() -> None:
    """That is no error; without a current version there is no secret."""
    secret = _secret(BotoWire(), NO_VERSION, NO_VERSION)

    assert secret.previous() is None
    with pytest.raises(ReadError, match=r"AWSCURRENT.*ResourceNotFoundException"):
        secret.current()


def test_secret_tells_when_its_version_before_is_not_to_be_had() -> None:
    """It may be there: a caller must not take it for a secret that was never rotated."""
    secret = _secret(BotoWire(), failed("AccessDeniedException"))

    with pytest.raises(ReadError, match=r"AWSPREVIOUS.*AccessDeniedException"):
        secret.previous()


def test_secret_tells_when_there_is_no_answer() -> None:
    """As any other error of a read, by its kind."""
    secret = _secret(UnreachableWire())

    with pytest.raises(ReadError, match=r"AWSPREVIOUS.*ConnectTimeoutError") as caught:
        secret.previous()
    assert isinstance(caught.value.__cause__, ConnectTimeoutError)
