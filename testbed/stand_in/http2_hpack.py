"""HPACK, the decoder with its table, and as much of an encoder as answers need. RFC 7541."""

from collections import deque
from typing import NamedTuple

from testbed.stand_in import http2_huffman
from testbed.stand_in.http2_frames import USUAL_TABLE_BYTES
from testbed.stand_in.http2_static_table import STATIC_FIELDS

EMPTY_THE_TABLE = b"\x20"
"""A size update to 0."""

_ENTRY_EXTRA_BYTES = 32
_MAX_INTEGER = 2**32 - 1


class HpackError(Exception):
    """What came is no HPACK: the connection cannot go on."""


class Field(NamedTuple):
    """A decoded field. Its value is `begin` to `end` of the block; both are 0 where it is not."""

    name: bytes
    value: bytes
    begin: int = 0
    end: int = 0


class Decoder:
    """Decodes the header blocks of one connection, in the order in which they came."""

    def __init__(self) -> None:
        self.changes = 0
        """How often anything has changed the table: blocks mean the same until the next change."""
        self.limit_bytes = USUAL_TABLE_BYTES
        """What the client may set the size to: our setting, as far as it is acknowledged."""
        self._size_bytes = USUAL_TABLE_BYTES
        self._used_bytes = 0
        self._fields: deque[Field] = deque()

    def decode(self, block: bytes) -> list[Field]:
        """Return the fields of a block. Raises HpackError."""
        fields: list[Field] = []
        position = 0
        try:
            while position < len(block) and block[position] >> 5 == 1:
                size_bytes, position = read_integer(block, position, 5)
                self._resize(size_bytes)
            if self._size_bytes > self.limit_bytes:
                raise HpackError(f"expected a size update to {self.limit_bytes} or less")
            while position < len(block):
                field, position = self._read_field(block, position)
                fields.append(field)
        except IndexError as error:
            raise HpackError("expected a whole block") from error
        return fields

    def _read_field(self, block: bytes, position: int) -> tuple[Field, int]:
        first = block[position]
        if first & 0x80:
            index, position = read_integer(block, position, 7)
            return self._field_at(index), position
        if first >> 5 == 1:
            raise HpackError("expected size updates before the first field only")
        is_entered = first & 0x40
        index, position = read_integer(block, position, 6 if is_entered else 4)
        if index:
            name = self._field_at(index).name
        else:
            name, *_, position = _read_text(block, position)
        value, begin, end, position = _read_text(block, position)
        if is_entered:
            self._enter(Field(name, value))
        return Field(name, value, begin, end), position

    def _field_at(self, index: int) -> Field:
        if 0 < index <= len(STATIC_FIELDS):
            return Field(*STATIC_FIELDS[index - 1])
        place = index - len(STATIC_FIELDS) - 1
        if not 0 <= place < len(self._fields):
            raise HpackError(f"expected an index up to {len(STATIC_FIELDS) + len(self._fields)}")
        return self._fields[place]

    def _enter(self, field: Field) -> None:
        self.changes += 1
        self._fields.appendleft(field)
        self._used_bytes += _entry_bytes(field)
        self._evict()

    def _resize(self, size_bytes: int) -> None:
        if size_bytes > self.limit_bytes:
            raise HpackError(f"expected a size of up to {self.limit_bytes}, found {size_bytes}")
        self.changes += 1
        self._size_bytes = size_bytes
        self._evict()

    def _evict(self) -> None:
        while self._used_bytes > self._size_bytes:
            self._used_bytes -= _entry_bytes(self._fields.pop())


def read_integer(block: bytes, position: int, bits: int) -> tuple[int, int]:
    """Return an integer and where it ends. Raises IndexError when it is cut off, HpackError."""
    most = (1 << bits) - 1
    number = block[position] & most
    position += 1
    if number < most:
        return number, position
    shift = 0
    while True:
        byte = block[position]
        position += 1
        number += (byte & 0x7F) << shift
        shift += 7
        if number > _MAX_INTEGER or shift > 35:
            raise HpackError(f"expected integers up to {_MAX_INTEGER}")
        if byte < 0x80:
            return number, position


def _read_text(block: bytes, position: int) -> tuple[bytes, int, int, int]:
    """Return a text, where it stands as it is (0 and 0: nowhere), and where it ends."""
    is_coded = block[position] & 0x80
    size, begin = read_integer(block, position, 7)
    end = begin + size
    if end > len(block):
        raise HpackError("expected a whole text")
    if not is_coded:
        return block[begin:end], begin, end, end
    try:
        return http2_huffman.decode(block[begin:end]), 0, 0, end
    except ValueError as error:
        raise HpackError(str(error)) from error


def _entry_bytes(field: Field) -> int:
    return len(field.name) + len(field.value) + _ENTRY_EXTRA_BYTES


def write_integer(number: int, bits: int, first: int) -> bytes:
    """Return an integer, the rest of its first byte being `first`."""
    most = (1 << bits) - 1
    if number < most:
        return bytes([first | number])
    written = [first | most]
    number -= most
    while number >= 0x80:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*written, number])


def write_literal(name: bytes, value: bytes) -> bytes:
    """Return a field that does not enter the table."""
    return b"\x00" + _write_text(name) + _write_text(value)


def _write_text(text: bytes) -> bytes:
    return write_integer(len(text), 7, 0) + text
