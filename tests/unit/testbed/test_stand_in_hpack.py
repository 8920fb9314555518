"""The stand-in's HPACK, against an encoder and a decoder that are not ours."""

import pytest
from hpack import Decoder as OtherDecoder
from hpack import Encoder, NeverIndexedHeaderTuple
from hypothesis import given
from hypothesis import strategies as st

from testbed.stand_in import http2_huffman
from testbed.stand_in.http2_hpack import Decoder, HpackError, write_integer, write_literal
from testbed.stand_in.http2_static_table import STATIC_FIELDS

NAMES = st.sampled_from([b":path", b":method", b"authorization", b"x", b"cookie", b"via"])
FIELDS = st.lists(st.tuples(NAMES, st.binary(max_size=60)), max_size=12)
BLOCKS = st.lists(
    st.tuples(FIELDS, st.booleans(), st.one_of(st.none(), st.integers(0, 4_096))), max_size=8
)
"""Fields, whether they are Huffman-coded, and the size that the table gets before, if any."""


@given(BLOCKS)
def test_decoder_reads_what_another_encoder_writes(
    blocks: list[tuple[list[tuple[bytes, bytes]], bool, int | None]],
) -> None:
    """Block after block, with a table that grows, shrinks and is emptied."""
    encoder, decoder = Encoder(), Decoder()

    for fields, is_coded, size_bytes in blocks:
        if size_bytes is not None:
            encoder.header_table_size = size_bytes
        block = encoder.encode(fields, huffman=is_coded)
        assert [(one.name, one.value) for one in decoder.decode(block)] == fields


@given(FIELDS)
def test_decoder_says_where_a_value_stands(fields: list[tuple[bytes, bytes]]) -> None:
    """There, and nowhere else, the block holds it as it is."""
    encoder = Encoder()
    block = encoder.encode([NeverIndexedHeaderTuple(*one) for one in fields], huffman=False)

    for field in Decoder().decode(block):
        assert not field.end or block[field.begin : field.end] == field.value


@given(st.binary(max_size=200))
def test_decoder_ends_for_any_bytes(block: bytes) -> None:
    """With fields or with its own error."""
    decoder = Decoder()

    try:
        fields = decoder.decode(block)
    except HpackError:
        return

    assert all(isinstance(one.name, bytes) for one in fields)


@given(st.lists(st.tuples(st.binary(max_size=300), st.binary(max_size=300)), max_size=5))
def test_literals_are_read_by_another_decoder(fields: list[tuple[bytes, bytes]]) -> None:
    """Names and values of any length."""
    block = b"".join(write_literal(*one) for one in fields)

    assert [tuple(one) for one in OtherDecoder().decode(block, raw=True)] == fields


def test_decoder_wants_a_smaller_table_to_be_confirmed() -> None:
    """Once our setting is acknowledged, the next block begins with a size update."""
    decoder = Decoder()
    decoder.limit_bytes = 100

    with pytest.raises(HpackError, match="size update to 100"):
        decoder.decode(b"\x82")
    assert decoder.decode(write_integer(100, 5, 0x20) + b"\x82")[0][:2] == (b":method", b"GET")


@pytest.mark.parametrize(
    ("coded", "text"),
    [
        ("f1e3c2e5f23a6ba0ab90f4ff", b"www.example.com"),
        ("a8eb10649cbf", b"no-cache"),
        ("d07abe941054d444a8200595040b8166e082a62d1bff", b"Mon, 21 Oct 2013 20:13:21 GMT"),
    ],
)
def test_huffman_reads_the_rfcs_examples(coded: str, text: bytes) -> None:
    """RFC 7541, appendix C."""
    assert http2_huffman.decode(bytes.fromhex(coded)) == text


@pytest.mark.parametrize("wrong", ["00", "ff", "f1e3c2e5f23a6ba0ab90f4ffff", "fffffffc"])
def test_huffman_refuses_wrong_padding_and_the_end_within_a_text(wrong: str) -> None:
    """RFC 7541, 5.2."""
    with pytest.raises(ValueError, match="expected"):
        http2_huffman.decode(bytes.fromhex(wrong))


def test_static_table_is_the_rfcs() -> None:
    """RFC 7541, appendix A: 61 entries."""
    assert len(STATIC_FIELDS) == 61
    assert STATIC_FIELDS[0] == (b":authority", b"")
    assert STATIC_FIELDS[15] == (b"accept-encoding", b"gzip, deflate")
    assert STATIC_FIELDS[60] == (b"www-authenticate", b"")
