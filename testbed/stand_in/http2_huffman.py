"""The Huffman code of HPACK: RFC 7541, 5.2 and appendix B.

The code is canonical, so that the lengths of its codes define it: codes of one length count up in
the order of their symbols.
"""

from functools import cache

_LENGTHS = (
    *(13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28),
    *(28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28),
    *(6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6),
    *(5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10),
    *(13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7),
    *(7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6),
    *(15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5),
    *(6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28),
    *(20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23),
    *(24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24),
    *(22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23),
    *(21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23),
    *(26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25),
    *(19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27),
    *(20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23),
    *(26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26),
    30,
)
"""How many bits the code of each symbol has: the 256 bytes, then the end of the text."""

_END = 256
_MOST_PADDING_BITS = 7

_Node = tuple[int, bytes]
"""A place in the tree, as the bits that lead there after a leading 1, and what was decoded."""


def decode(data: bytes) -> bytes:
    """Return a text. Raises ValueError for what is no Huffman code, or is padded wrongly."""
    steps, state = _steps(), 1
    pieces = []
    for byte in data:
        step = steps.get((state, byte))
        if step is None:
            step = steps[state, byte] = _step(state, byte)
        state, piece = step
        pieces.append(piece)
    padding_bits = state.bit_length() - 1
    if padding_bits > _MOST_PADDING_BITS or state != (2 << padding_bits) - 1:
        raise ValueError("expected padding of up to seven bits, all of them 1")
    return b"".join(pieces)


def _step(state: int, byte: int) -> _Node:
    """Return where eight more bits lead from a place in the tree."""
    symbols, piece = _symbols(), bytearray()
    for place in range(7, -1, -1):
        state = state << 1 | byte >> place & 1
        symbol = symbols.get(state)
        if symbol == _END:
            raise ValueError("expected no symbol for the end within a text")
        if symbol is not None:
            piece.append(symbol)
            state = 1
    return state, bytes(piece)


@cache
def _steps() -> dict[tuple[int, int], _Node]:
    """Return the steps that were taken before: a few hundred ones serve nearly all texts."""
    return {}


@cache
def _symbols() -> dict[int, int]:
    """Return the symbols by their codes, each with a 1 before it."""
    symbols: dict[int, int] = {}
    code = length = 0
    for bits, symbol in sorted((bits, symbol) for symbol, bits in enumerate(_LENGTHS)):
        code <<= bits - length
        length = bits
        symbols[1 << bits | code] = symbol
        code += 1
    return symbols
