"""nghttp2's own server, which tells each header that it has decoded. It speaks HTTP/2 only."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from testbed.stand_in.certificate import ServerCertificate
from tests.support.received_posts import HTTP_2, ReceivedPost
from tests.support.server_process import ServerProcess, find_server

ECHO = "--echo-upload"
"""With this option each post is answered 200 with its own body, without it 404."""

_HEADER = re.compile(
    r"\[id=(\d+)\] \[ *[\d.]+\] recv \(stream_id=(\d+)(, sensitive)?\) (:?[^:]+): (.*)"
)
_DATA = re.compile(
    r"\[id=(\d+)\] \[ *[\d.]+\] recv DATA frame <length=(\d+), flags=0x\w+, stream_id=(\d+)>"
)

_Stream = tuple[str, str]
"""The number of its HTTP connection, and its own."""


class Nghttpd:
    """A running nghttpd; `authority` is its host and port."""

    def __init__(
        self, certificate: ServerCertificate, folder: Path, options: Sequence[str]
    ) -> None:
        program, pem = find_server("nghttpd", "nghttp2-server"), str(certificate.chain_and_key_path)

        def command(port: int) -> Sequence[str]:
            fixed = ("--verbose", "--address", "127.0.0.1", "--htdocs", str(folder))
            return program, *fixed, *options, str(port), pem, pem

        self.process = ServerProcess(folder, command)
        self.sensitive: set[str] = set()
        """The headers that no table may ever keep, as it was told."""

    @property
    def authority(self) -> str:
        """Return its host and port."""
        return f"127.0.0.1:{self.process.port}"

    def received(self, frame: str) -> list[ReceivedPost]:
        """Have it end; return the posts that it has received.

        It tells only the sizes of bodies: one that is as long as the frame is taken for it.
        """
        self.process.stop()
        posts: dict[_Stream, dict[str, str]] = {}
        body_bytes: Counter[_Stream] = Counter()
        for line in self.process.printed.splitlines():
            if found := _HEADER.fullmatch(line):
                connection, stream, is_sensitive, name, value = found.groups()
                posts.setdefault((connection, stream), {})[name] = value
                self.sensitive |= {name} if is_sensitive else set()
            elif found := _DATA.fullmatch(line):
                connection, size, stream = found.groups()
                body_bytes[connection, stream] += int(size)
        size = len(frame.encode())
        return [
            _received(stream, fields, frame if body_bytes[stream] == size else "")
            for stream, fields in posts.items()
        ]


@contextmanager
def running_nghttpd(certificate: ServerCertificate, *options: str) -> Iterator[Nghttpd]:
    """Run nghttpd with options of its command line."""
    with TemporaryDirectory(prefix="nghttpd-") as folder:
        nghttpd = Nghttpd(certificate, Path(folder), options)
        with nghttpd.process:
            yield nghttpd


def _received(stream: _Stream, fields: dict[str, str], body: str) -> ReceivedPost:
    fields = dict(fields)
    assert (fields.pop(":method"), fields.pop(":scheme")) == ("POST", "https")
    path, authority = fields.pop(":path"), fields.pop(":authority")
    return ReceivedPost(HTTP_2, stream[0], path, {"host": authority, **fields}, body.encode())
