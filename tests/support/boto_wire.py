"""The end of a boto3 client's wire: what it sends is noted, what it is to be answered is set."""

from io import BytesIO
from typing import Any, cast

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ConnectTimeoutError
from botocore.session import Session
from urllib3 import HTTPResponse


class BotoWire:
    """What answers a client's requests instead of DynamoDB; each of `answers` in turn.

    An answer is a status and a body. Register it for the client's event `before-send`.
    """

    def __init__(self) -> None:
        self.answers: list[tuple[int, bytes]] = []
        self.operations: list[str] = []
        self.bodies: list[bytes] = []
        self.agents: list[str] = []

    def __call__(self, request: Any, **_: object) -> Any:
        """Answer one request; a hook of botocore's."""
        self.operations.append(request.headers["X-Amz-Target"].decode().split(".")[1])
        self.bodies.append(request.body)
        self.agents.append(request.headers["User-Agent"].decode())
        status, body = self.answers.pop(0)
        headers = HTTPHeaders.from_dict({"x-amzn-requestid": "R1"})
        raw: Any = HTTPResponse(BytesIO(body), preload_content=False)
        return AWSResponse("http://dynamodb.invalid", status, headers, raw)


class UnreachableWire(BotoWire):
    """What nothing answers at: the client's connecting takes too long."""

    def __call__(self, request: Any, **_: object) -> Any:
        """Note one request, and break it off."""
        self.operations.append(request.headers["X-Amz-Target"].decode().split(".")[1])
        raise ConnectTimeoutError(endpoint_url=request.url)


class WiredSession(Session):
    """A session whose clients send to a wire."""

    def __init__(self, wire: BotoWire) -> None:
        super().__init__()
        self._wire = wire
        self.set_credentials("AKIDEXAMPLE", "secret")
        self.set_config_variable("region", "eu-central-1")

    def create_client(self, *arguments: Any, **options: Any) -> Any:
        """Create a client that sends to the wire."""
        client = super().create_client(*arguments, **options)
        client.meta.events.register("before-send", cast("Any", self._wire))
        return client
