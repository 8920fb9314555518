"""What the clients of a wired function send."""

from typing import Any

import pytest

import wiring
from settings import ConnectionSettings
from storage.connections import REMOVE_SECONDS, TAKE_BACK_SECONDS, WRITE_SECONDS
from testbed.model.fakes import FakeTime
from tests.support.boto_wire import BotoWire, WiredSession
from wiring import build_connections_table


def test_wired_client_names_botocore_and_the_function_to_dynamodb(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The name is the session's: it is made once, and says what AWS asks of its clients."""
    monkeypatch.setenv("AWS_EXECUTION_ENV", "AWS_Lambda_python3.13")
    wire = BotoWire()
    wire.answers = [(200, b"{}")] * 2
    session = WiredSession(wire)

    table = build_connections_table(ConnectionSettings("t"), session, FakeTime().clock)
    table.remove("a")

    agent, other = wire.agents  # Powertools appends its own name
    assert agent == other
    assert agent.startswith(session.user_agent())
    assert agent.startswith("Botocore/")
    assert "exec-env/AWS_Lambda_python3.13" in agent


def test_rows_of_a_client_are_settled_before_its_function_is_over() -> None:
    """Each of its requests lasts its longest: TCP, TLS and the answer; the function has 10 s."""
    config: Any = wiring._DOOR_CONFIG
    longest_seconds = 2 * config.connect_timeout + config.read_timeout

    to_connect = WRITE_SECONDS + longest_seconds + TAKE_BACK_SECONDS + longest_seconds
    to_disconnect = REMOVE_SECONDS + longest_seconds

    assert config.retries["total_max_attempts"] == 1
    assert max(to_connect, to_disconnect) < 10
