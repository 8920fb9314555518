"""Base64url without padding, read strictly: each sequence of bytes has one text. RFC 7515, 2."""

import base64
import binascii


def decode(text: str) -> bytes | None:
    """Return the bytes of a text; None when it is not exactly how they are written."""
    padding = b"=" * (-len(text) % 4)
    try:
        data = base64.b64decode(text.encode("ascii") + padding, b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if encode(data) == text else None


def encode(data: bytes) -> str:
    """Return how bytes are written."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
