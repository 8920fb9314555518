"""Writes posts as HTTP/1.1 text. No I/O. RFC 9112."""

from functools import lru_cache

from delivery.http.request import Request, RequestTemplate


def text_of(request: Request) -> bytes:
    """Return the bytes of one post."""
    middle, end = _shared_text(request.template)
    return f"POST {request.path}{middle}{request.authorization}".encode() + end


@lru_cache(maxsize=4)
def _shared_text(template: RequestTemplate) -> tuple[str, bytes]:
    """Return what stands between path and authorization, and what follows these.

    Made once for each template: it is the larger part of a post, and the same in all of them.
    """
    lines = "".join(f"{name}: {value}\r\n" for name, value in template.fields)
    length = len(template.body)
    middle = f" HTTP/1.1\r\n{lines}content-length: {length}\r\nauthorization: "
    return middle, b"\r\n\r\n" + template.body
