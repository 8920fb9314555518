"""Header blocks of posts, as another implementation reads them, whatever the table's size."""

from collections.abc import Sequence
from typing import Any

import pytest
from hpack import Decoder
from hpack.struct import NeverIndexedHeaderTuple
from hypothesis import given
from hypothesis import strategies as st

from delivery.http import hpack
from delivery.http.http2_request import DEFAULT_TABLE_BYTES, BlockWriter, _literal
from delivery.http.request import Request, RequestTemplate
from delivery.signing import encode_id
from tests.support.http2_wire import HOST, PATH, SIGNED, request, template

IDS = st.text(min_size=1, max_size=40).filter(lambda text: text.isascii() or text.isprintable())
VALUES = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1)
TABLES = st.sampled_from([0, 1, 32, 60, 100, 200, 1_000, 1_500, 4_095, 4_096, 4_097, 65_536, 2**31])
SETTINGS = st.lists(TABLES, max_size=3)
"""Sizes that the server announces between two blocks, in one frame or in several."""


class _Server:
    """What reads the blocks: another implementation's table, of the size that was announced."""

    def __init__(self) -> None:
        self._decoder = Decoder()
        self._sizes: list[int] = []

    def announce(self, size: int) -> None:
        self._sizes.append(size)

    def read(self, block: bytes) -> list[tuple[Any, ...]]:
        """Read a block, which must begin with the updates that RFC 7541, 4.2, asks for."""
        smallest = min(self._sizes, default=2**32)
        if smallest < self._decoder.header_table_size:
            assert hpack.read_integer(block, 0, 5)[0] == smallest
            assert block[0] & 0xE0 == hpack.SIZE_UPDATE
        if self._sizes:
            self._decoder.max_allowed_table_size = self._sizes[-1]
            self._sizes.clear()
        fields: list[tuple[Any, ...]] = list(self._decoder.decode(block))
        table = self._decoder.header_table
        assert table._current_size <= min(table.maxsize, DEFAULT_TABLE_BYTES)
        return fields


def _expected(post: Request, scheme: str = "https") -> list[tuple[Any, ...]]:
    shared = post.template
    return [
        (":method", "POST"),
        (":scheme", scheme),
        (":authority", HOST),
        (":path", post.path),
        ("authorization", post.authorization),
        *shared.fields[1:],
        ("content-length", str(len(shared.body))),
    ]


@given(
    st.lists(
        st.tuples(SETTINGS, st.integers(0, 3), IDS, VALUES | st.just("k" * 2_000)), max_size=12
    ),
    st.lists(st.tuples(st.integers(0, 8_000), st.binary(max_size=9)), min_size=4, max_size=4),
)
def test_blocks_are_read_by_another_implementation(
    posts: Sequence[tuple[list[int], int, str, str]], shared: Sequence[tuple[int, bytes]]
) -> None:
    """Any id, token and authorization; templates that change; a table that shrinks and grows."""
    templates = [template(body, token="t" * size) for size, body in shared]
    writer, server = BlockWriter(is_tls=True), _Server()

    for sizes, number, connection_id, authorization in posts:
        for size in sizes:
            writer.limit_table(size)
            server.announce(size)
        path = PATH + encode_id(connection_id)
        post = Request(templates[number], path, authorization)

        fields = server.read(writer.write(post))

        assert fields == _expected(post)
        assert isinstance(fields[4], NeverIndexedHeaderTuple)


@pytest.mark.parametrize(("method", "coded"), [("GET", b"\x82"), ("DELETE", b"\x02\x06DELETE")])
def test_block_of_another_method_has_no_length(method: str, coded: bytes) -> None:
    """It has no body; posts of the same connection are not disturbed by it."""
    fields = template().fields
    other, post = request(RequestTemplate(fields, b"", method)), request(template())
    writer, server = BlockWriter(is_tls=True), _Server()

    for asked in (post, other, other, post):
        block = writer.write(asked)
        expected = [(":method", asked.template.method), *_expected(asked)[1:]]
        assert server.read(block) == (expected if asked is post else expected[:-1])
        assert block.startswith(b"\x83" if asked is post else coded)


@pytest.mark.parametrize("is_tls", [False, True])
def test_block_tells_the_scheme(is_tls: bool) -> None:  # noqa: FBT001 - a parameter of pytest's
    """RFC 9113, 8.3.1: it is that of the connection."""
    post = request(template())

    fields = _Server().read(BlockWriter(is_tls=is_tls).write(post))

    assert fields == _expected(post, "https" if is_tls else "http")


def test_block_has_only_what_is_the_posts_own_after_the_first() -> None:
    """What is shared, the token above all, is a byte for each field."""
    writer, post = BlockWriter(is_tls=True), request(template(token="t" * 1_100))

    first, *others = (writer.write(post) for _ in range(3))

    own = len(post.path) + len(SIGNED) + 5
    assert [len(block) for block in others] == [own + 2 + 4] * 2
    assert len(first) > 1_100 + own


def test_block_enters_what_fits_when_a_field_is_larger_than_the_table() -> None:
    """Such an entry would empty the table: it goes as a literal each time, the others do not."""
    writer, post = BlockWriter(is_tls=True), request(template(token="t" * 5_000))

    server, blocks = _Server(), [writer.write(post) for _ in range(2)]
    entries = [
        (server.read(block), server._decoder.header_table.dynamic_entries) for block in blocks
    ]

    assert [fields for fields, _ in entries] == [_expected(post)] * 2
    assert [sorted(name for name, _ in table) for _, table in entries] == [
        [b":authority", b"content-length", b"x-amz-date"]
    ] * 2
    assert [HOST.encode() in block for block in blocks] == [True, False]


def test_block_prefers_the_largest_field_when_not_all_fit() -> None:
    """What is saved is the token, not the date."""
    writer = BlockWriter(is_tls=True)
    writer.limit_table(1_100 + len("x-amz-security-token") + hpack.ENTRY_OVERHEAD_BYTES)
    post = request(template(token="t" * 1_100))

    blocks = [writer.write(post) for _ in range(2)]

    assert [b"t" * 1_100 in block for block in blocks] == [True, False]
    assert all(b"x-amz-date" in block for block in blocks)


@pytest.mark.parametrize(
    ("sizes", "updates"),
    [
        ([], []),
        ([4_096], []),
        ([65_536], []),
        ([5_000, 4_500], []),
        ([0], [0]),
        ([100], [100]),
        ([0, 4_096], [0, 4_096]),
        ([0, 65_536], [0, 4_096]),
        ([100, 0, 200], [0, 200]),
        ([200, 100], [100]),
        ([4_095, 4_096], [4_095, 4_096]),
    ],
)
def test_block_begins_with_the_tables_sizes_when_these_have_changed(
    sizes: list[int], updates: list[int]
) -> None:
    """The smallest one since the last block, then that of now: RFC 7541, 4.2. Told once."""
    writer, post = BlockWriter(is_tls=True), request(template())
    writer.write(post)
    for size in sizes:
        writer.limit_table(size)

    block, later = writer.write(post), writer.write(post)

    told = b"".join(hpack.integer(size, 5, 0x20) for size in updates)
    assert block.startswith(told + b"\x83\x87")
    assert later.startswith(b"\x83\x87")


def test_block_keeps_a_table_that_was_emptied_and_then_grew() -> None:
    """Size 0, a block, and a large one again: what is shared enters anew."""
    writer, server, post = BlockWriter(is_tls=True), _Server(), request(template(token="t" * 99))

    lengths = []
    for size in (None, None, 0, None, 65_536, None):
        if size is not None:
            writer.limit_table(size)
            server.announce(size)
        block = writer.write(post)
        assert server.read(block) == _expected(post)
        lengths.append(len(block))

    assert lengths[1] == lengths[5] < lengths[0]
    assert lengths[2] == lengths[3] + 1


def test_block_is_entered_anew_when_the_template_changes() -> None:
    """Each minute, or with new credentials: two templates are never taken for the same."""
    writer, server = BlockWriter(is_tls=True), _Server()
    one, other = template(token="one"), template(token="other")

    for shared in (one, other, other, one, one):
        post = request(shared)
        assert server.read(writer.write(post)) == _expected(post)


def test_block_needs_the_authority() -> None:
    """A template without a host cannot be posted."""
    with pytest.raises(KeyError, match="host"):
        BlockWriter(is_tls=True).write(request(RequestTemplate((), b"x")))


def test_literals_are_as_rfc_7541_has_them() -> None:
    """Appendix C.2: entered, not entered, never to be entered."""
    entered = _literal(("custom-key", "custom-header"), hpack.INCREMENTAL, hpack.INCREMENTAL_BITS)
    never = _literal(("password", "secret"), hpack.NEVER_INDEXED, hpack.LITERAL_BITS)
    block = BlockWriter(is_tls=True).write(Request(template(), "/sample/path", SIGNED))

    assert entered.hex() == "400a637573746f6d2d6b65790d637573746f6d2d686561646572"
    assert never.hex() == "100870617373776f726406736563726574"
    assert bytes.fromhex("040c2f73616d706c652f70617468") in block


def test_blocks_are_those_of_the_rfcs_examples() -> None:
    """Appendix C.3.1 and C.3.2: an authority enters the table, and is place 62 afterwards."""
    shared = RequestTemplate((("host", "www.example.com"),), b"")
    writer, post = BlockWriter(is_tls=False), Request(shared, "/", "x")

    first, second = writer.write(post), writer.write(post)

    assert first[2:].hex().startswith("410f7777772e6578616d706c652e636f6d")
    assert second[:3].hex() == "8386bf"
