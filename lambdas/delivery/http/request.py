"""A signed post before any protocol has written it: what all posts share, and what is its own."""

from dataclasses import dataclass
from typing import Final, NamedTuple

POST: Final = "POST"
GET: Final = "GET"


@dataclass(frozen=True, slots=True, eq=False)
class RequestTemplate:
    """What the posts of one frame and one minute share; or the requests of another method.

    `fields` are the signed header fields, names in lower case, in the order of their names; `body`
    is the frame, and empty for any method but POST. Two templates are never equal: a protocol may
    keep what it makes of one. Raises ValueError.
    """

    fields: tuple[tuple[str, str], ...]
    body: bytes
    method: str = POST

    def __post_init__(self) -> None:
        """Refuse a body that would not be sent."""
        if self.body and not self.has_body:
            raise ValueError(
                f"{self.method} with a body of {len(self.body)} bytes, expected none: only "
                f"{POST} carries one"
            )

    @property
    def has_body(self) -> bool:
        """Whether the request is sent with a body, be it an empty one, and its length."""
        return self.method == POST


class Request(NamedTuple):
    """One post, or another request about a connection.

    `path` is encoded; `authorization` is the value of that header field.
    """

    template: RequestTemplate
    path: str
    authorization: str
