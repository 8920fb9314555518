"""What the clients of a wired function send."""

from io import BytesIO
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.session import Session
from urllib3 import HTTPResponse

from settings import ConnectionSettings
from testbed.model.fakes import FakeTime
from wiring import build_connections_table


class _Wire(Session):
    """A session whose clients send to a list."""

    def __init__(self) -> None:
        super().__init__()
        self.agents: list[str] = []

    def create_client(self, *arguments: Any, **options: Any) -> Any:
        client = super().create_client(*arguments, **options)
        client.meta.events.register("before-send", self._send)
        return client

    def _send(self, request: Any, **_: object) -> Any:
        self.agents.append(request.headers["User-Agent"].decode())
        raw: Any = HTTPResponse(BytesIO(b"{}"), preload_content=False)
        return AWSResponse(request.url, 200, HTTPHeaders(), raw)


def test_wired_client_names_botocore_and_the_function_to_dynamodb(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The name is the session's: it is made once, and says what AWS asks of its clients."""
    monkeypatch.setenv("AWS_EXECUTION_ENV", "AWS_Lambda_python3.13")
    session = _Wire()
    session.set_credentials("AKIDEXAMPLE", "secret")
    session.set_config_variable("region", "eu-central-1")

    table = build_connections_table(ConnectionSettings("t"), session, FakeTime().clock)
    table.remove("a")

    (agent,) = session.agents  # Powertools appends its own name
    assert agent.startswith(session.user_agent())
    assert agent.startswith("Botocore/")
    assert "exec-env/AWS_Lambda_python3.13" in agent
