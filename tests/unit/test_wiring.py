"""What the clients of a wired function send."""

import pytest

from settings import ConnectionSettings
from testbed.model.fakes import FakeTime
from tests.support.boto_wire import BotoWire, WiredSession
from wiring import build_connections_table


def test_wired_client_names_botocore_and_the_function_to_dynamodb(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The name is the session's: it is made once, and says what AWS asks of its clients."""
    monkeypatch.setenv("AWS_EXECUTION_ENV", "AWS_Lambda_python3.13")
    wire = BotoWire()
    wire.answers = [(200, b"{}")]
    session = WiredSession(wire)

    table = build_connections_table(ConnectionSettings("t"), session, FakeTime().clock)
    table.remove("a")

    (agent,) = wire.agents  # Powertools appends its own name
    assert agent.startswith(session.user_agent())
    assert agent.startswith("Botocore/")
    assert "exec-env/AWS_Lambda_python3.13" in agent
