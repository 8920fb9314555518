"""Reads the status from the header block of an HTTP/2 response. No I/O. RFC 9113, 8.3.2; RFC 7541.

The status is the first field, and nothing after it is read: the server has been told to use no
table of its own, so that nothing in one block changes how the next one reads.
"""

from typing import Final

from delivery.http import hpack
from delivery.http.connection import MalformedAnswerError
from delivery.http.http2_frames import ErrorCode, Http2Error

_STATUSES: Final = {8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500}
"""The places of `:status` in the static table: RFC 7541, appendix A."""

_NAMES: Final = ((b":status", False), (bytes.fromhex("b8848d36a3"), True))
"""The name as it is, and Huffman-coded."""

_DIGITS: Final = {f"{digit:05b}": digit for digit in range(3)} | {
    f"{22 + digit:06b}": digit for digit in range(3, 10)
}
"""The digits by their Huffman codes: RFC 7541, appendix B."""

_STATUS_DIGITS: Final = 3
_MAX_STATUS_BYTES: Final = 3
_MAX_PADDING_BITS: Final = 7
_LEAST_STATUS: Final = 100


def status_of(block: bytes) -> int:
    """Return the status of a response.

    Raises Http2Error when the block is no HPACK, MalformedAnswerError when it is no response.
    """
    if not block:
        raise _no_response(block)
    try:
        return _STATUSES.get(block[0] ^ hpack.INDEXED) or _read_status(block)
    except (IndexError, OverflowError) as error:
        raise _not_hpack(block) from error


def _read_status(block: bytes) -> int:
    start = _after_size_updates(block)
    first = block[start]
    if first & hpack.INDEXED:
        place, _ = hpack.read_integer(block, start, hpack.INDEXED_BITS)
        if not 0 < place <= hpack.STATIC_ENTRIES:
            raise _not_hpack(block)
        if place not in _STATUSES:
            raise _no_response(block)
        return _STATUSES[place]
    bits = hpack.INCREMENTAL_BITS if first & hpack.INCREMENTAL else hpack.LITERAL_BITS
    place, start = hpack.read_integer(block, start, bits)
    if place > hpack.STATIC_ENTRIES:
        raise _not_hpack(block)
    if not place:
        *name, start = _read_text(block, start)
    if (place not in _STATUSES) if place else (tuple(name) not in _NAMES):
        raise _no_response(block)
    return _status_in(block, start)


def _after_size_updates(block: bytes) -> int:
    """Return where the first field begins. The only size that the server may choose is 0."""
    start = 0
    while block[start] >> hpack.SIZE_UPDATE_BITS == hpack.SIZE_UPDATE >> hpack.SIZE_UPDATE_BITS:
        size, start = hpack.read_integer(block, start, hpack.SIZE_UPDATE_BITS)
        if size:
            raise _not_hpack(block)
    return start


def _read_text(block: bytes, start: int) -> tuple[bytes, bool, int]:
    """Return the bytes of a text, whether they are Huffman-coded, and where it ends."""
    size, begin = hpack.read_integer(block, start, hpack.TEXT_BITS)
    end = begin + size
    if end > len(block):
        raise _not_hpack(block)
    return block[begin:end], bool(block[start] & hpack.HUFFMAN), end


def _status_in(block: bytes, start: int) -> int:
    value, is_huffman, _ = _read_text(block, start)
    digits = _digits_in(value) if is_huffman else value.decode("latin-1")
    if len(digits) != _STATUS_DIGITS or not (digits.isascii() and digits.isdecimal()):
        raise _no_response(block)
    status = int(digits)
    if status < _LEAST_STATUS:
        raise _no_response(block)
    return status


def _digits_in(value: bytes) -> str:
    """Return the digits of a Huffman-coded text; none when it is longer, or holds anything else.

    Ones fill its last byte: RFC 7541, 5.2.
    """
    bits = "".join(f"{byte:08b}" for byte in value) if len(value) <= _MAX_STATUS_BYTES else ""
    digits = ""
    while code := next((code for code in (bits[:5], bits[:6]) if code in _DIGITS), ""):
        digits += str(_DIGITS[code])
        bits = bits[len(code) :]
    return "" if "0" in bits or len(bits) > _MAX_PADDING_BITS else digits


def _not_hpack(block: bytes) -> Http2Error:
    return Http2Error(
        ErrorCode.COMPRESSION_ERROR, block, "a header block of HPACK without a dynamic table"
    )


def _no_response(block: bytes) -> MalformedAnswerError:
    return MalformedAnswerError(block, "a response, which begins with its status")
