"""Writes requests as HTTP/1.1 text: posts above all. No I/O. RFC 9112."""

from functools import lru_cache

from delivery.http.request import Request, RequestTemplate


def text_of(request: Request) -> bytes:
    """Return the bytes of one request."""
    start, middle, end = _shared_text(request.template)
    return f"{start}{request.path}{middle}{request.authorization}".encode() + end


@lru_cache(maxsize=4)
def _shared_text(template: RequestTemplate) -> tuple[str, str, bytes]:
    """Return what stands before the path, between it and the authorization, and after these.

    Made once for each template: it is the larger part of a post, and the same in all of them.
    """
    lines = "".join(f"{name}: {value}\r\n" for name, value in template.fields)
    length = f"content-length: {len(template.body)}\r\n" if template.has_body else ""
    middle = f" HTTP/1.1\r\n{lines}{length}authorization: "
    return f"{template.method} ", middle, b"\r\n\r\n" + template.body
