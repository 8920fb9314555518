"""HPACK, as far as both directions need it: numbers, texts, and places in the static table.

No I/O. RFC 7541.
"""

from typing import Final

AUTHORITY, GET, POST, PATH, HTTP, HTTPS = 1, 2, 3, 4, 6, 7
CONTENT_LENGTH, AUTHORIZATION = 28, 23
STATIC_ENTRIES: Final = 61
"""Places of the static table, counted from 1: RFC 7541, appendix A."""

ENTRY_OVERHEAD_BYTES: Final = 32
"""An entry of the dynamic table counts as its name, its value, and this: RFC 7541, 4.1."""

INDEXED, INCREMENTAL, SIZE_UPDATE, NEVER_INDEXED, WITHOUT_INDEXING = 0x80, 0x40, 0x20, 0x10, 0x00
INDEXED_BITS, INCREMENTAL_BITS, SIZE_UPDATE_BITS, LITERAL_BITS, TEXT_BITS = 7, 6, 5, 4, 7
"""How a field begins, and how many bits of its first byte are a number: RFC 7541, 6."""

HUFFMAN: Final = 0x80
"""The bit of a text's first byte that says that it is Huffman-coded: RFC 7541, 5.2."""

_SEVEN_BITS = 0x7F
_MORE = 0x80
_LONGEST_NUMBER_BYTES = 5


def integer(number: int, bits: int, first: int = 0) -> bytes:
    """Return a number whose first byte has room for `bits` bits of it, and is `first` else.

    RFC 7541, 5.1
    """
    most = (1 << bits) - 1
    if number < most:
        return bytes((first | number,))
    encoded = bytearray((first | most,))
    number -= most
    while number > _SEVEN_BITS:
        encoded.append(number & _SEVEN_BITS | _MORE)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def read_integer(data: bytes, start: int, bits: int) -> tuple[int, int]:
    """Return the number that begins at `start`, and where it ends.

    Raises IndexError when it is cut off, OverflowError when it is longer than any that is needed.
    """
    most = (1 << bits) - 1
    number = data[start] & most
    if number < most:
        return number, start + 1
    for place in range(_LONGEST_NUMBER_BYTES):
        byte = data[start + 1 + place]
        number += (byte & _SEVEN_BITS) << 7 * place
        if not byte & _MORE:
            return number, start + 2 + place
    raise OverflowError(f"a number of more than {_LONGEST_NUMBER_BYTES} bytes")


def text(value: bytes) -> bytes:
    """Return a text as it is, not Huffman-coded, with its length before it."""
    return integer(len(value), TEXT_BITS) + value


def indexed(place: int) -> bytes:
    """Return a field that stands in a table."""
    return integer(place, INDEXED_BITS, INDEXED)
