"""TLS to `@connections`: who is believed, and which protocols are offered."""

import ssl
from collections.abc import Sequence

ALPN = ("h2", "http/1.1")
"""What is offered to the server, the better one first: RFC 7301, RFC 9113, 3.2."""

ALPN_OF_HTTP1 = ("http/1.1",)
"""What is offered in its place where HTTP/2 is not wanted."""


def tls_context(ca_bundle: str | None, protocols: Sequence[str] = ALPN) -> ssl.SSLContext:
    """Return TLS 1.2 or newer that verifies the server by `ca_bundle`, else by the system's.

    The server chooses among `protocols`. Raises OSError when the bundle cannot be loaded.
    """
    try:
        context = ssl.create_default_context(cafile=ca_bundle)
    except OSError as error:
        raise OSError(
            f"the CA bundle {ca_bundle} cannot be loaded ({error}); expected a file of "
            "certificates in PEM; check AWS_CA_BUNDLE"
        ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(protocols)
    return context
