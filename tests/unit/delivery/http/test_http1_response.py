"""Answers are read however their bytes are cut, and nothing else is ever taken for one."""

from dataclasses import dataclass
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from delivery.http.connection import MalformedAnswerError, Response
from delivery.http.http1_head import Head, parse_head
from delivery.http.http1_response import (
    MAX_ANSWER_BYTES,
    MAX_BODY_BYTES,
    MAX_HEAD_BYTES,
    ResponseParser,
)

ENOUGH = settings(max_examples=200, deadline=None)
PIECE_BYTES = 4096
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
EVERY_RULE = b"".join(
    [
        b"HTTP/1.1 100 Continue\r\nContent-Length: 7\r\n\r\n",
        b"HTTP/1.1 103\r\n\r\n",
        b"HTTP/1.1 410 Gone\r\nDATE: x\r\ntransfer-ENCODING:\tChunked \r\nx-empty:\r\n\r\n",
        b'3;a=b;c="d"\r\n{"a\r\n',
        b"0000a \r\n0\r\n\r\n\r\n\r\n}\r\n",
        b"000\r\nTrailer: yes\r\nother: no\r\n\r\n",
    ]
)
EVERY_RULE_ANSWER = Response(410, b'{"a0\r\n\r\n\r\n\r\n}')


def _read(*pieces: bytes) -> Response | None:
    """Return the answer to be read from pieces; expects none before the last."""
    parser = ResponseParser()
    for piece in pieces[:-1]:
        assert parser.feed(piece) is None
    return parser.feed(pieces[-1])


def _outcome(pieces: list[bytes]) -> Response | type[MalformedAnswerError] | None:
    """Return what comes of any bytes; whatever else is raised is the test's failure."""
    parser = ResponseParser()
    try:
        for piece in pieces:
            answer = parser.feed(piece)
            if answer is not None:
                return answer
    except MalformedAnswerError:
        return MalformedAnswerError
    return parser.end()


def _cut(data: bytes, places: list[int]) -> list[bytes]:
    """Cut bytes at places between 0 and 1,000,000, as shares of their length."""
    cuts = sorted(place * len(data) // 1_000_000 for place in places)
    return [data[start:end] for start, end in pairwise([0, *cuts, len(data)])]


CUTS = st.lists(st.integers(min_value=0, max_value=1_000_000), max_size=12)


@dataclass(frozen=True, slots=True)
class Stream:
    """Valid bytes of one answer, and the answer."""

    data: bytes
    answer: Response


@st.composite
def streams(draw: st.DrawFn) -> Stream:
    """Draw an answer in any shape that HTTP/1.1 allows."""
    minor = draw(st.sampled_from([b"1", b"1", b"1", b"0"]))
    status = draw(st.sampled_from([200, 200, 204, 304, 400, 403, 410, 413, 429, 500, 503, 999]))
    phrase = draw(st.sampled_from([b"", b" ", b" OK", b" Not  \xfcsual: \t!"]))
    body = draw(st.one_of(st.just(b""), st.just(b'{"message":"Gone"}'), st.binary(max_size=500)))
    closes = draw(st.sampled_from([b"", b"close", b"Close", b"keep-alive, CLOSE ", b"keep-alive"]))
    framing = draw(st.sampled_from(["length", "chunked"]))
    fields = [draw(_FIELDS) for _ in range(draw(st.integers(0, 4)))]
    if closes:
        fields.append(b"connection:" + closes)
    has_body = status not in {204, 304}
    if framing == "chunked":
        fields.append(b"TRANSFER-ENCODING: chunked")
        rest = draw(_chunked(body)) if has_body else b""
    else:
        fields.append(b"Content-length: %d" % len(body))
        rest = body if has_body else b""
    fields = draw(st.permutations(fields))
    lines = [b"HTTP/1.%b %d%b" % (minor, status, phrase), *fields, b"", b""]
    news = b"".join(draw(st.lists(_NEWS, max_size=3)))
    keeps_alive = minor == b"1" and b"close" not in closes.lower()
    answer = Response(status, body if has_body else b"", keeps_alive)
    return Stream(news + b"\r\n".join(lines) + rest, answer)


_FIELDS = st.sampled_from(
    [
        b"Date: Sat, 01 Jan 2026 00:00:00 GMT",
        b"x-amzn-ErrorType:GoneException",
        b"x-content-length: 7",
        b"content-lengthy: 7",
        b"Empty:",
        b"!#$%&'*+.^_`|~:  \t spaces  ",
        b"latin: \xe9\xff",
    ]
)
_NEWS = st.sampled_from(
    [
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 102\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\nContent-Length: 9\r\n\r\n",
        b"HTTP/1.0 199 \r\nConnection: close\r\n\r\n",
    ]
)
_EXTENSIONS = st.sampled_from([b"", b" ", b";a", b"; a = b", b'\t;quoted="x y"'])


@st.composite
def _chunked(draw: st.DrawFn, body: bytes) -> bytes:
    """Draw one way to send a body in chunks."""
    parts = [part for part in _cut(body, draw(CUTS)) if part]
    chunks = [
        draw(st.sampled_from([b"%x", b"%X", b"00%x"])) % len(part)
        + draw(_EXTENSIONS)
        + b"\r\n"
        + part
        + b"\r\n"
        for part in parts
    ]
    trailer = draw(st.sampled_from([b"", b"", b"Trailer: x\r\n", b"A: b\r\nC: d\r\n"]))
    last = draw(st.sampled_from([b"0", b"000"])) + draw(_EXTENSIONS)
    return b"".join(chunks) + last + b"\r\n" + trailer + b"\r\n"


@ENOUGH
@given(stream=streams(), cuts=CUTS)
@example(stream=Stream(OK, Response(200, b"{}")), cuts=[])
@example(stream=Stream(EVERY_RULE, EVERY_RULE_ANSWER), cuts=[])
def test_parser_reads_the_same_answer_however_it_is_cut(stream: Stream, cuts: list[int]) -> None:
    """It is whole with its last byte, not before."""
    pieces = _cut(stream.data[:-1], cuts)

    answer = _read(*pieces, stream.data[-1:])

    assert answer == stream.answer


@pytest.mark.parametrize("data", [OK, EVERY_RULE])
def test_parser_reads_byte_by_byte(data: bytes) -> None:
    """The smallest pieces there are."""
    whole = _read(data)

    answer = _read(*(data[n : n + 1] for n in range(len(data))))

    assert answer == whole


@ENOUGH
@given(
    data=st.one_of(
        st.binary(max_size=600),
        st.builds(bytes.__add__, st.just(b"HTTP/1.1 200 OK\r\n"), st.binary(max_size=200)),
        st.lists(
            st.sampled_from(
                [
                    b"HTTP/1.1 ",
                    b"200",
                    b"100",
                    b" ",
                    b"\r\n",
                    b"\r\n\r\n",
                    b"\n",
                    b"0",
                    b"ffffffff",
                    b"Content-Length:",
                    b"5",
                    b"Transfer-Encoding: chunked",
                    b"Connection:close",
                ]
            ),
            max_size=30,
        ).map(b"".join),
    ),
    cuts=CUTS,
)
def test_parser_makes_an_answer_or_its_own_error_of_garbage(data: bytes, cuts: list[int]) -> None:
    """Nothing else is raised, and the pieces do not matter to whether there is an answer."""
    whole, cut = _outcome([data]), _outcome(_cut(data, cuts))

    assert isinstance(whole, Response | None) or whole is MalformedAnswerError
    assert _status(whole) == _status(cut)


def _status(outcome: Response | type[MalformedAnswerError] | None) -> object:
    return outcome.status if isinstance(outcome, Response) else outcome


@ENOUGH
@given(
    stream=streams(),
    place=st.floats(0, 1),
    mutation=st.binary(max_size=5),
    skipped=st.integers(0, 5),
)
def test_parser_takes_a_damaged_answer_for_an_answer_or_an_error(
    stream: Stream, place: float, mutation: bytes, skipped: int
) -> None:
    """A few bytes replaced anywhere: the statuses of the service are never made up of it."""
    at = int(place * len(stream.data))
    damaged = stream.data[:at] + mutation + stream.data[at + skipped :]

    outcome = _outcome([damaged])

    assert isinstance(outcome, Response | None) or outcome is MalformedAnswerError


@settings(max_examples=60, deadline=None)
@given(
    start=st.sampled_from(
        [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"]
    ),
    unit=st.one_of(
        st.binary(min_size=1, max_size=20),
        st.sampled_from(
            [
                b"HTTP/1.1 100 Continue\r\n\r\n",
                b"a: b\r\n",
                b"1;" + b"x" * 500 + b"\r\n{\r\n",
                b"1\r\n{\r\n",
                b"0",
                b"0\r\na: b\r\n",
            ]
        ),
    ),
)
def test_parser_ends_with_every_endless_answer(start: bytes, unit: bytes) -> None:
    """A server that never stops sending holds neither our time nor our memory."""
    endless = unit * (PIECE_BYTES // len(unit) + 1)
    pieces = [start, *[endless] * (MAX_ANSWER_BYTES // PIECE_BYTES + 1)]
    parser = ResponseParser()

    with pytest.raises((MalformedAnswerError, StopIteration)):  # noqa: PT012 - one step of many
        for piece in pieces:
            if parser.feed(piece) is not None:
                raise StopIteration
            assert len(parser._buffer) <= MAX_HEAD_BYTES + MAX_BODY_BYTES + len(endless)


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (b"HTTP/1.1 200\r\nContent-Length:0\r\n\r\n", Response(200)),
        (b"HTTP/1.1 204 No Content\r\n\r\n", Response(204)),
        (b"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", Response(204)),
        (b"HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", Response(304)),
        (
            b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
            Response(200, b"{}", keeps_alive=False),
        ),
        (b"HTTP/1.0 204 No Content\r\n\r\n", Response(204, b"", keeps_alive=False)),
        (b"HTTP/1.1 200 OK\r\ncontent-length:  2  \r\n\r\n{}", Response(200, b"{}")),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            Response(200, b"", keeps_alive=False),
        ),
        (
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nCONNECTION:Close\r\n\r\n",
            Response(200, b"", keeps_alive=False),
        ),
        (
            b"HTTP/1.1 200 OK\r\nConnection: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            Response(200, b"", keeps_alive=False),
        ),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", Response(200)),
        (
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
            Response(200, b"", keeps_alive=False),
        ),
    ],
)
def test_parser_reads_an_answer(data: bytes, answer: Response) -> None:
    """Each rule of RFC 9112 about where an answer ends, and whether the next may follow."""
    assert _read(data) == answer


def test_parser_does_not_wait_for_a_body_that_only_the_end_of_the_connection_ends() -> None:
    """The status is all that is needed; the connection is not used again."""
    assert _read(b"HTTP/1.1 410 Gone\r\n\r\n") == Response(410, b"", keeps_alive=False)


def test_parser_waits_for_the_answer_after_informational_ones() -> None:
    """A 1xx is no answer, whatever it says about a body or the connection."""
    parser = ResponseParser()

    news = parser.feed(b"HTTP/1.1 100 Continue\r\nConnection: close\r\nContent-Length: 9\r\n\r\n")

    assert news is None
    assert parser.end() is None
    assert parser.feed(OK) == Response(200, b"{}")


@pytest.mark.parametrize("stray", [b"x", b"\r\n", OK])
@pytest.mark.parametrize(
    "data", [OK, EVERY_RULE, b"HTTP/1.1 204 No Content\r\n\r\n"], ids=["length", "chunks", "none"]
)
def test_parser_gives_up_the_connection_when_bytes_follow_the_answer(
    data: bytes, stray: bytes
) -> None:
    """They would be taken for the next post's answer."""
    alone = _read(data)
    assert alone is not None

    followed = _read(data + stray)

    assert alone.keeps_alive
    assert followed == Response(alone.status, alone.body, keeps_alive=False)


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n{" % (MAX_BODY_BYTES + 1),
        b"HTTP/1.1 200 OK\r\nContent-Length: 999999999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % (MAX_BODY_BYTES + 1),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n",
    ],
)
def test_parser_answers_without_the_body_when_that_is_too_large(head: bytes) -> None:
    """The status counts; the connection is given up."""
    assert _read(head) == Response(200, b"", keeps_alive=False)


def test_parser_answers_with_the_chunks_so_far_when_they_become_too_large() -> None:
    """Chunks count together."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"%x\r\n%b\r\n" % (MAX_BODY_BYTES // 2, b"x" * (MAX_BODY_BYTES // 2))

    answer = _read(head + chunk, chunk, b"1\r\n")

    assert answer == Response(200, b"x" * MAX_BODY_BYTES, keeps_alive=False)


def test_parser_reads_the_largest_body_and_head_that_it_takes() -> None:
    """The limits are meant inclusively."""
    start = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nX: " % MAX_BODY_BYTES
    head = start + b"x" * (MAX_HEAD_BYTES - len(start)) + b"\r\n\r\n"

    answer = _read(head + b"y" * MAX_BODY_BYTES)

    assert answer == Response(200, b"y" * MAX_BODY_BYTES)


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * MAX_HEAD_BYTES,
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * MAX_HEAD_BYTES + b"\r\n\r\n",
        b"x" * (MAX_HEAD_BYTES + 1),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;" + b"x" * MAX_HEAD_BYTES,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: " + b"x" * MAX_HEAD_BYTES,
    ],
    ids=["head", "whole head", "garbage", "chunk", "trailer"],
)
def test_parser_refuses_what_is_oversized(data: bytes) -> None:
    """A head, a chunk's size and a trailer have 16 KiB each."""
    with pytest.raises(MalformedAnswerError, match=f"of up to {MAX_HEAD_BYTES} bytes"):
        _read(data)


def test_parser_refuses_news_without_end() -> None:
    """Each of them is right, but there is never an answer."""
    parser = ResponseParser()
    news = b"HTTP/1.1 100 Continue\r\n\r\n" * 40

    for _ in range(MAX_ANSWER_BYTES // len(news)):
        assert parser.feed(news) is None
    with pytest.raises(MalformedAnswerError, match=f"an answer of up to {MAX_ANSWER_BYTES} bytes"):
        parser.feed(news)


@pytest.mark.parametrize(
    "data",
    [
        b"\r\n\r\n",
        b"\x00\xff this is not HTTP\r\n\r\n",
        b"\r\nHTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.2 200 OK\r\n\r\n",
        b"http/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 099 Low\r\n\r\n",
        b"HTTP/1.1 20 OK\r\n\r\n",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1  200 OK\r\n\r\n",
        b"HTTP/1.1 200OK\r\n\r\n",
        b"HTTP/1.1 200 O\x00K\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n: no name\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nspace : x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\r\n folded\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: a\rb\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1e3\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1234567890123456\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"HTTP/1.1 204 OK\r\nContent-Length: 1, 1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n000000001\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1 x\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{}\r\n",
    ],
)
def test_parser_refuses_what_is_malformed(data: bytes) -> None:
    """The error shows what came, and what was expected."""
    with pytest.raises(MalformedAnswerError, match=r"^the server sent b.*, expected "):
        _read(data)


@pytest.mark.parametrize(
    ("data", "answer"),
    [
        (b"", None),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r", None),
        (b"HTTP/1.1 100 Continue\r\n\r\n", None),
        (b"HTTP/1.1 410 Gone\r\nContent-Length: 2\r\n\r\n{", Response(410, b"", keeps_alive=False)),
        (
            b"HTTP/1.1 410 Gone\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n5",
            Response(410, b"{", keeps_alive=False),
        ),
    ],
)
def test_parser_ends_with_the_status_if_that_has_come(data: bytes, answer: Response | None) -> None:
    """When the connection ends early, the status is answer enough."""
    parser = ResponseParser()
    parser.feed(data)

    assert parser.end() == answer


def test_parser_shows_only_the_beginning_of_what_is_malformed() -> None:
    """An error message is no place for 16 KiB."""
    with pytest.raises(MalformedAnswerError) as caught:
        _read(b"x" * 10_000 + b"\r\n\r\n")

    assert len(str(caught.value)) < 200


def test_head_is_final_from_200_on() -> None:
    """1xx is news of the answer."""
    finals = [Head(status, 0, keeps_alive=True).is_final for status in (100, 199, 200, 503)]

    assert finals == [False, False, True, True]


def test_head_says_how_its_body_ends() -> None:
    """A length, chunks, or the end of the connection."""
    start = b"HTTP/1.1 200 OK\r\n"

    heads = [
        parse_head(start + b"Content-Length: 7"),
        parse_head(start + b"Transfer-Encoding: chunked"),
        parse_head(start + b"Date: today"),
    ]

    assert heads == [
        Head(200, 7, keeps_alive=True),
        Head(200, None, keeps_alive=True),
        Head(200, 0, keeps_alive=False),
    ]
