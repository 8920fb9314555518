"""The bytes of answers, looking like the service's own."""

import time
from email.utils import formatdate
from http import HTTPStatus
from itertools import count

from testbed.stand_in.reaction import Answer

_PHRASES = {status.value: status.phrase for status in HTTPStatus}
_Kind = tuple[int, bytes, tuple[tuple[str, str], ...], bool, bool]


class ResponseWriter:
    """Writes answers. All but the request id is written once a second for each kind of answer."""

    def __init__(self) -> None:
        self._second = 0
        self._halves: dict[_Kind, tuple[bytes, bytes]] = {}
        self._numbers = count(1)

    def write(self, answer: Answer) -> bytes:
        """Return an answer's bytes."""
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._halves.clear()
        kind = (answer.status, answer.body, answer.headers, answer.close, answer.chunked)
        halves = self._halves.get(kind)
        if halves is None:
            halves = self._halves[kind] = _write_halves(answer, second)
        return b"%b%012x%b" % (halves[0], next(self._numbers), halves[1])


def _write_halves(answer: Answer, second: int) -> tuple[bytes, bytes]:
    """Return what comes before and after the part of the request id that changes."""
    before = [
        f"HTTP/1.1 {answer.status} {_PHRASES.get(answer.status, 'Unknown')}",
        f"Date: {formatdate(second, usegmt=True)}",
        "Content-Type: application/json",
        "Transfer-Encoding: chunked" if answer.chunked else f"Content-Length: {len(answer.body)}",
        f"Connection: {'close' if answer.close else 'keep-alive'}",
        "x-amzn-RequestId: 5d1c3f0e-0b7e-4a51-9c58-",
    ]
    after = [
        "",
        *(f"{name}: {value}" for name, value in answer.headers),
        "x-amz-apigw-id: CrierStandIn0Aw=",
        "\r\n",
    ]
    body = _chunk(answer.body) if answer.chunked else answer.body
    return "\r\n".join(before).encode(), "\r\n".join(after).encode() + body


def _chunk(body: bytes) -> bytes:
    """Return a body in two chunks: a client must not take the first one for all of it."""
    half = len(body) // 2
    parts = [part for part in (body[:half], body[half:]) if part]
    return b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
