"""What the clients of a wired function send."""

from typing import Any, cast

import pytest
from botocore.session import Session

from settings import ConnectionSettings
from testbed.model.fakes import FakeTime
from tests.support.boto_wire import BotoWire
from wiring import build_connections_table


class _Session(Session):
    """A session whose clients send to a wire."""

    def __init__(self, wire: BotoWire) -> None:
        super().__init__()
        self._wire = wire
        self.set_credentials("AKIDEXAMPLE", "secret")
        self.set_config_variable("region", "eu-central-1")

    def create_client(self, *arguments: Any, **options: Any) -> Any:
        client = super().create_client(*arguments, **options)
        client.meta.events.register("before-send", cast("Any", self._wire))
        return client


def test_wired_client_names_botocore_and_the_function_to_dynamodb(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The name is the session's: it is made once, and says what AWS asks of its clients."""
    monkeypatch.setenv("AWS_EXECUTION_ENV", "AWS_Lambda_python3.13")
    wire = BotoWire()
    wire.answers = [(200, b"{}")]
    session = _Session(wire)

    table = build_connections_table(ConnectionSettings("t"), session, FakeTime().clock)
    table.remove("a")

    (agent,) = wire.agents  # Powertools appends its own name
    assert agent.startswith(session.user_agent())
    assert agent.startswith("Botocore/")
    assert "exec-env/AWS_Lambda_python3.13" in agent
