"""Numbers, texts and fields of HPACK, with the vectors of RFC 7541, appendix C."""

import pytest
from hpack import hpack as oracle
from hpack.table import HeaderTable
from hypothesis import given
from hypothesis import strategies as st

from delivery.http import hpack


@pytest.mark.parametrize(
    ("number", "bits", "encoded"),
    [
        pytest.param(10, 5, "0a", id="C.1.1"),
        pytest.param(1337, 5, "1f9a0a", id="C.1.2"),
        pytest.param(42, 8, "2a", id="C.1.3"),
        pytest.param(0, 7, "00", id="zero"),
        pytest.param(30, 5, "1e", id="the last in one byte"),
        pytest.param(31, 5, "1f00", id="the first in two bytes"),
        pytest.param(31 + 127, 5, "1f7f", id="the last in two bytes"),
        pytest.param(31 + 128, 5, "1f8001", id="the first in three bytes"),
    ],
)
def test_integer_is_as_rfc_7541_has_it(number: int, bits: int, encoded: str) -> None:
    """Appendix C.1, and where the next byte begins."""
    written = hpack.integer(number, bits)

    assert written.hex() == encoded
    assert hpack.read_integer(written, 0, bits) == (number, len(written))


@given(st.integers(0, 2**32), st.integers(1, 8), st.integers(0, 255))
def test_integer_is_what_another_implementation_writes(number: int, bits: int, first: int) -> None:
    """Whatever the first byte says besides the number."""
    others = first >> bits << bits & 0xFF
    expected = bytearray(oracle.encode_integer(number, bits))
    expected[0] |= others

    written = hpack.integer(number, bits, others)

    assert written == bytes(expected)
    assert hpack.read_integer(b"\xff" + written + b"\xff", 1, bits) == (number, 1 + len(written))


@pytest.mark.parametrize("cut", ["", "1f", "1f9a"])
def test_integer_that_is_cut_off_is_an_error(cut: str) -> None:
    """There is no byte more to read."""
    with pytest.raises(IndexError):
        hpack.read_integer(bytes.fromhex(cut), 0, 5)


def test_integer_that_never_ends_is_an_error() -> None:
    """A number may be padded with zeros for ever; none that is needed has more than 5 bytes."""
    longest = bytes.fromhex("1fffffffff7f")

    number, end = hpack.read_integer(longest, 0, 5)

    assert (number, end) == (31 + 2**35 - 1, len(longest))
    with pytest.raises(OverflowError, match="more than 5 bytes"):
        hpack.read_integer(b"\x1f" + b"\x80" * 5 + b"\x00", 0, 5)


def test_text_has_its_length_before_it() -> None:
    """RFC 7541, C.2.1: the name of its literal."""
    assert hpack.text(b"custom-key").hex() == "0a637573746f6d2d6b6579"
    assert hpack.text(b"x" * 127)[:3].hex() == "7f0078"


def test_indexed_field_is_one_byte() -> None:
    """RFC 7541, C.2.4: the method GET."""
    assert hpack.indexed(2).hex() == "82"


def test_places_are_those_of_the_static_table() -> None:
    """RFC 7541, appendix A, as another implementation has it."""
    table = HeaderTable.STATIC_TABLE
    places = {
        hpack.AUTHORITY: (b":authority", b""),
        hpack.GET: (b":method", b"GET"),
        hpack.POST: (b":method", b"POST"),
        hpack.PATH: (b":path", b"/"),
        hpack.HTTP: (b":scheme", b"http"),
        hpack.HTTPS: (b":scheme", b"https"),
        hpack.CONTENT_LENGTH: (b"content-length", b""),
        hpack.AUTHORIZATION: (b"authorization", b""),
    }

    assert {place: table[place - 1] for place in places} == places
    assert len(table) == hpack.STATIC_ENTRIES
