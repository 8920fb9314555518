"""Writes posts, and other requests, as header blocks of HTTP/2. No I/O. RFC 9113, 8.3; RFC 7541.

What all posts of a template share, a session token of a thousand characters above all, enters the
server's table with the first of them, always in the same order: in the others it is one byte for
each field. Only path and authorization are written out.
"""

from typing import Final

from delivery.http import hpack
from delivery.http.request import GET, POST, Request, RequestTemplate

DEFAULT_TABLE_BYTES: Final = 4_096
"""The size of the server's table before it is changed; more is never used: RFC 9113, 6.5.2."""

_PATH: Final = hpack.integer(hpack.PATH, hpack.LITERAL_BITS, hpack.WITHOUT_INDEXING)
_AUTHORIZATION: Final = hpack.integer(hpack.AUTHORIZATION, hpack.LITERAL_BITS, hpack.NEVER_INDEXED)


class _TextHeads(dict[int, bytes]):
    """The lengths that stand before texts; those of usual texts are ready."""

    def __missing__(self, size: int) -> bytes:
        """Return the length of an unusual text."""
        return hpack.integer(size, hpack.TEXT_BITS)


_TEXT_HEADS: Final = _TextHeads((size, hpack.integer(size, hpack.TEXT_BITS)) for size in range(512))

_NAMES: Final = {
    ":authority": hpack.AUTHORITY,
    ":method": hpack.GET,
    "content-length": hpack.CONTENT_LENGTH,
}
"""Places of names in the static table."""

_METHODS: Final = {GET: hpack.indexed(hpack.GET), POST: hpack.indexed(hpack.POST)}

_Field = tuple[str, str]


class BlockWriter:
    """Writes the header blocks of one connection; they must be sent in the order of the calls."""

    __slots__ = (
        "_announced_bytes",
        "_before_path",
        "_scheme",
        "_smallest_bytes",
        "_table_bytes",
        "_tail",
        "_template",
    )

    def __init__(self, *, is_tls: bool) -> None:
        self._scheme = hpack.indexed(hpack.HTTPS if is_tls else hpack.HTTP)
        self._table_bytes = self._smallest_bytes = self._announced_bytes = DEFAULT_TABLE_BYTES
        self._template: RequestTemplate | None = None
        self._before_path = self._tail = b""

    def limit_table(self, most_bytes: int) -> None:
        """Take the server's setting for its table; the next block keeps to it."""
        self._table_bytes = min(most_bytes, DEFAULT_TABLE_BYTES)
        self._smallest_bytes = min(self._smallest_bytes, self._table_bytes)
        self._template = None

    def write(self, request: Request) -> bytes:
        """Return the header block of one request."""
        if request.template is not self._template:
            return self._enter(request)
        return _block(self._before_path, request, self._tail)

    def _enter(self, request: Request) -> bytes:
        """Return a block that enters what its template shares into the server's table."""
        template = self._template = request.template
        first = _method(template.method) + self._scheme
        authority, *others = _shared_fields(template)
        entered = _fitting((authority, *others), self._table_bytes)
        block = _block(
            self._size_updates() + first + _entering(authority, entered),
            request,
            b"".join(_entering(field, entered) for field in others),
        )
        self._before_path = first + _entered(authority, entered)
        self._tail = b"".join(_entered(field, entered) for field in others)
        return block

    def _size_updates(self) -> bytes:
        """Return what tells the server the size of its table, where that has changed.

        RFC 7541, 4.2: first the smallest size since the last block, then the size of now.
        """
        sizes = [self._smallest_bytes] if self._smallest_bytes < self._announced_bytes else []
        if self._table_bytes != (sizes or [self._announced_bytes])[0]:
            sizes.append(self._table_bytes)
        self._smallest_bytes = self._announced_bytes = self._table_bytes
        return b"".join(
            hpack.integer(size, hpack.SIZE_UPDATE_BITS, hpack.SIZE_UPDATE) for size in sizes
        )


def _method(name: str) -> bytes:
    """Return the method's field, which enters no table: two have a place in the static one."""
    return _METHODS.get(name) or _literal(
        (":method", name), hpack.WITHOUT_INDEXING, hpack.LITERAL_BITS
    )


def _block(before_path: bytes, request: Request, tail: bytes) -> bytes:
    path, authorization = request.path.encode(), request.authorization.encode()
    return b"".join(
        (
            before_path,
            _PATH,
            _TEXT_HEADS[len(path)],
            path,
            _AUTHORIZATION,
            _TEXT_HEADS[len(authorization)],
            authorization,
            tail,
        )
    )


def _shared_fields(template: RequestTemplate) -> list[_Field]:
    """Return the fields that all requests of a template share, `:authority` first.

    RFC 9113, 8.3.1
    """
    fields = dict(template.fields)
    authority = fields.pop("host")
    if template.has_body:
        fields["content-length"] = str(len(template.body))
    return [(":authority", authority), *fields.items()]


def _fitting(fields: tuple[_Field, ...], table_bytes: int) -> list[_Field]:
    """Return the fields that find room in the table together, the largest ones first choice.

    An entry that is larger than the table would empty it: RFC 7541, 4.4.
    """
    chosen: set[_Field] = set()
    for field in sorted(fields, key=_entry_bytes, reverse=True):
        if _entry_bytes(field) <= table_bytes:
            table_bytes -= _entry_bytes(field)
            chosen.add(field)
    return [field for field in fields if field in chosen]


def _entry_bytes(field: _Field) -> int:
    name, value = field
    return len(name.encode()) + len(value.encode()) + hpack.ENTRY_OVERHEAD_BYTES


def _entering(field: _Field, entered: list[_Field]) -> bytes:
    """Return a field as its template's first post writes it."""
    if field in entered:
        return _literal(field, hpack.INCREMENTAL, hpack.INCREMENTAL_BITS)
    return _literal(field, hpack.WITHOUT_INDEXING, hpack.LITERAL_BITS)


def _entered(field: _Field, entered: list[_Field]) -> bytes:
    """Return a field as the later posts write it: the newest entry has the first place."""
    if field in entered:
        return hpack.indexed(hpack.STATIC_ENTRIES + len(entered) - entered.index(field))
    return _literal(field, hpack.WITHOUT_INDEXING, hpack.LITERAL_BITS)


def _literal(field: _Field, first: int, bits: int) -> bytes:
    name, value = field
    place = _NAMES.get(name, 0)
    written_name = b"" if place else hpack.text(name.encode())
    return hpack.integer(place, bits, first) + written_name + hpack.text(value.encode())
