"""A signed post before any protocol has written it: what all posts share, and what is its own."""

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True, eq=False)
class RequestTemplate:
    """What the posts of one frame and one minute share.

    `fields` are the signed header fields, names in lower case, in the order of their names; `body`
    is the frame. Two templates are never equal: a protocol may keep what it makes of one.
    """

    fields: tuple[tuple[str, str], ...]
    body: bytes


class Request(NamedTuple):
    """One post. `path` is encoded; `authorization` is the value of that header field."""

    template: RequestTemplate
    path: str
    authorization: str
