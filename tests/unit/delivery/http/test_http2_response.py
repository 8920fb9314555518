"""The status of a response, in all forms that another implementation writes and reads."""

import re

import pytest
from hpack import Decoder, Encoder
from hpack.exceptions import HPACKError
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hpack.struct import HeaderTuple, NeverIndexedHeaderTuple
from hypothesis import example, given
from hypothesis import strategies as st

from delivery.http import hpack
from delivery.http.connection import MalformedAnswerError
from delivery.http.http2_frames import ErrorCode, Http2Error
from delivery.http.http2_response import status_of

STATUSES = st.integers(100, 599)
FIELDS = st.lists(st.tuples(st.text(min_size=1, max_size=20), st.text(max_size=60)), max_size=6)
KINDS = st.sampled_from([HeaderTuple, NeverIndexedHeaderTuple])
IS_STATUS = re.compile(rb"[1-9][0-9]{2}").fullmatch
HUFFMAN = HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH)


def _huffman(value: bytes) -> bytes:
    coded = HUFFMAN.encode(value)
    return bytes((hpack.HUFFMAN | len(coded),)) + coded


@given(STATUSES, KINDS, FIELDS, st.booleans(), st.booleans())
def test_status_is_what_another_implementation_wrote(
    status: int,
    kind: type[HeaderTuple],
    fields: list[tuple[str, str]],
    is_huffman: bool,  # noqa: FBT001 - a parameter of Hypothesis's
    is_updated: bool,  # noqa: FBT001 - the same
) -> None:
    """Any status, any fields after it, Huffman-coded or not, with a size update before or not."""
    encoder = Encoder()
    encoder.header_table_size = 0
    before = b"" if is_updated else encoder.encode([])

    block = encoder.encode([kind(":status", str(status)), *fields], huffman=is_huffman)

    assert status_of(block) == status
    assert (before or block)[:1] == b"\x20"


@pytest.mark.parametrize(
    ("block", "status"),
    [
        pytest.param("4803333032 580770726976617465", 302, id="C.5.1"),
        pytest.param("4803333037 c1c0bf", 307, id="C.5.2"),
        pytest.param("88c1611d4d6f6e2c203231", 200, id="C.5.3"),
        pytest.param("48826402 5885aec3771a4b", 302, id="C.6.1"),
        pytest.param("4883640eff c1c0bf", 307, id="C.6.2"),
        pytest.param("88c16196d07abe941054d444", 200, id="C.6.3"),
    ],
)
def test_status_is_that_of_the_rfcs_examples(block: str, status: int) -> None:
    """RFC 7541, appendix C: what comes after the status needs the table that we do not allow."""
    assert status_of(bytes.fromhex(block)) == status


@given(STATUSES)
def test_status_is_read_in_each_form(status: int) -> None:
    """As a literal of each kind, named by its place or by a text, Huffman-coded or not."""
    digits = str(status).encode()
    places = [hpack.integer(place, 6, 0x40) for place in range(8, 15)]
    places += [hpack.integer(place, 4, first) for place in range(8, 15) for first in (0, 0x10)]
    names = [
        bytes((first,)) + name
        for first in (0x40, 0x10, 0x00)
        for name in (hpack.text(b":status"), _huffman(b":status"))
    ]

    read = {
        status_of(updates + name + value)
        for updates in (b"", b"\x20", b"\x20\x20")
        for name in (*places, *names)
        for value in (hpack.text(digits), _huffman(digits))
    }

    assert read == {status}


@pytest.mark.parametrize("place", range(hpack.STATIC_ENTRIES + 1))
def test_status_in_the_static_table_is_read_from_there(place: int) -> None:
    """A place of another field, or of none, is no status."""
    block, statuses = bytes((0x80 | place,)), [200, 204, 206, 304, 400, 404, 500]

    if 8 <= place <= 14:
        assert status_of(block) == statuses[place - 8]
    else:
        with pytest.raises(MalformedAnswerError):
            status_of(block)


@pytest.mark.parametrize(
    "block",
    [
        pytest.param("20", id="nothing but a size update"),
        pytest.param("21 88", id="a table that we do not allow"),
        pytest.param("3fe11f 88", id="a table of 4,096 bytes"),
        pytest.param("80", id="place 0"),
        pytest.param("be", id="the first place of a dynamic table"),
        pytest.param("7e 03323030", id="a name from a dynamic table"),
        pytest.param("ff8080808080808001", id="a place without end"),
        pytest.param("ff", id="a place that is cut off"),
        pytest.param("08", id="no value"),
        pytest.param("08 03 3230", id="a value that is cut off"),
        pytest.param("08 83 10", id="a coded value that is cut off"),
        pytest.param("00 07 3a737461", id="a name that is cut off"),
        pytest.param("00", id="no name"),
    ],
)
def test_status_is_no_hpack(block: str) -> None:
    """The connection ends: RFC 9113, 4.3."""
    with pytest.raises(Http2Error, match="HPACK without a dynamic table") as caught:
        status_of(bytes.fromhex(block))

    assert caught.value.code == ErrorCode.COMPRESSION_ERROR


@pytest.mark.parametrize(
    "block",
    [
        pytest.param(b"\x82", id="a request's method"),
        pytest.param(b"\x5f\x03200", id="another name"),
        pytest.param(b"\x00\x06server\x03200", id="another name as a text"),
        pytest.param(b"\x00\x07:Status\x03200", id="upper case"),
        pytest.param(b"\x00\x05\xb8\x84\x8d\x36\xa3\x03200", id="a coded name that says it is not"),
        pytest.param(b"\x00\x87:status\x03200", id="a name that says that it is coded"),
        pytest.param(b"\x08\x00", id="no digits"),
        pytest.param(b"\x08\x0220", id="two digits"),
        pytest.param(b"\x08\x042000", id="four digits"),
        pytest.param(b"\x08\x0320x", id="a letter"),
        pytest.param(b"\x08\x03+20", id="a sign"),
        pytest.param(b"\x08\x03 20", id="a space"),
        pytest.param(b"\x08\x03099", id="below 100"),
        pytest.param(b"\x08\x03000", id="zero"),
        pytest.param(b"\x08\x03\xb2\xb3\xb9", id="digits of no ASCII"),
        *(
            pytest.param(b"\x08" + _huffman(value), id=f"coded: {value.decode()!r}")
            for value in (b"", b"20", b"2000", b"20000", b"200 ", b"200x", b"099", b"x00", b"20x")
        ),
        pytest.param(b"\x08\x83\x10\x01\xff", id="coded: more padding than a byte"),
        pytest.param(b"\x08\x82\x10\x00", id="coded: padding that is no padding"),
    ],
)
def test_status_is_missing(block: bytes) -> None:
    """No response, though the connection may go on: RFC 9113, 8.3.2."""
    with pytest.raises(MalformedAnswerError, match="begins with its status") as caught:
        status_of(block)

    assert not isinstance(caught.value, Http2Error)


@given(st.binary(max_size=12) | st.binary(max_size=6).map(lambda end: b"\x20\x08" + end))
@example(b"\x08\x82\x10\x01")
def test_status_of_any_bytes_is_what_another_implementation_reads(block: bytes) -> None:
    """What comes after the status may be wrong: that is not read, and changes nothing."""
    decoder = Decoder()
    decoder.header_table_size = decoder.max_allowed_table_size = 0
    try:
        fields = list(decoder.decode(block, raw=True))
    except HPACKError:
        fields = None

    try:
        status = status_of(block)
    except MalformedAnswerError:
        status = 0

    if fields is None:
        assert status == 0 or 100 <= status <= 999
    elif status:
        assert fields[0] == (b":status", str(status).encode())
    else:
        assert not (fields and fields[0][0] == b":status" and IS_STATUS(fields[0][1]))
