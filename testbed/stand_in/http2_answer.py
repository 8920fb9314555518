"""Answers as frames of HTTP/2, looking like the service's own, with as little work as can be."""

import time
from email.utils import formatdate
from itertools import count
from struct import Struct

from testbed.stand_in.http2_frames import END_HEADERS, END_STREAM, Kind, frame
from testbed.stand_in.http2_hpack import EMPTY_THE_TABLE, write_integer, write_literal
from testbed.stand_in.http2_static_table import STATUS_INDEXES
from testbed.stand_in.reaction import Answer

_REQUEST_ID = b"5d1c3f0e-0b7e-4a51-9c58-"
_COUNTED_BYTES = 12
_KEPT = 65_536
_LARGE_BYTES = 1_024


class AnswerForm:
    """An answer's HEADERS frame: all of it but the stream and the request's number stands."""

    __slots__ = ("_after", "_answer", "_before", "_flags", "_head", "_pack")

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self._flags = END_HEADERS if answer.body else END_HEADERS | END_STREAM
        self._after = _block_after(answer)
        self.set_second(int(time.time()))

    def set_second(self, second: int) -> None:
        """Write the date anew."""
        self._before = _block_before(self._answer, second)
        before, after = len(self._before), len(self._after)
        self._head = (before + _COUNTED_BYTES + after) << 8 | Kind.HEADERS
        self._pack = Struct(f">IBI{before}s{_COUNTED_BYTES}s{after}s").pack

    def write(self, stream_id: int, number: int) -> bytes:
        """Return the frame; it ends the stream unless there is a body."""
        return self._pack(
            self._head, self._flags, stream_id, self._before, b"%012x" % number, self._after
        )

    def write_without_table(self, stream_id: int, number: int) -> bytes:
        """Return the frame as `write` does; it says first that there is no table."""
        block = self._before + b"%012x" % number + self._after
        return frame(Kind.HEADERS, self._flags, stream_id, EMPTY_THE_TABLE + block)


class AnswerWriter:
    """Knows the forms of all answers that were given."""

    def __init__(self) -> None:
        self.numbers = count(1)
        self._second = 0
        self._forms: dict[tuple[object, ...], AnswerForm] = {}
        self.known: dict[int, tuple[Answer, AnswerForm]] = {}
        """By the identity of the answer: comparing all of it would take longer than writing it."""

    def tick(self) -> None:
        """Take note of the time: once a second all dates are written anew."""
        second = int(time.time())
        if second != self._second:
            self._second = second
            for form in self._forms.values():
                form.set_second(second)

    def form(self, answer: Answer) -> AnswerForm:
        """Return an answer's form."""
        kind = (answer.status, answer.body, answer.headers)
        form = self._forms.get(kind)
        if form is None:
            form = AnswerForm(answer)
            if len(answer.body) > _LARGE_BYTES:
                return form
            self._forms[kind] = form
        if len(self.known) >= _KEPT:
            self.known.clear()
        if not (answer.close or answer.body):
            self.known[id(answer)] = answer, form
        return form


def _block_before(answer: Answer, second: int) -> bytes:
    """Return what is before the number in the request's id."""
    request_id_bytes = len(_REQUEST_ID) + _COUNTED_BYTES
    name = b"x-amzn-requestid"
    return b"".join(
        (
            _status(answer.status),
            write_literal(b"date", formatdate(second, usegmt=True).encode()),
            write_literal(b"content-type", b"application/json"),
            write_literal(b"content-length", b"%d" % len(answer.body)),
            b"\x00" + write_integer(len(name), 7, 0) + name,
            write_integer(request_id_bytes, 7, 0) + _REQUEST_ID,
        )
    )


def _block_after(answer: Answer) -> bytes:
    fields = (*answer.headers, ("x-amz-apigw-id", "CrierStandIn0Aw="))
    return b"".join(write_literal(name.lower().encode(), value.encode()) for name, value in fields)


def _status(status: int) -> bytes:
    index = STATUS_INDEXES.get(status)
    if index:
        return bytes([0x80 | index])
    return b"\x08" + write_integer(3, 7, 0) + b"%03d" % status
