"""A throw-away certificate authority, and a server certificate that it has signed."""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import trustme

LOOPBACK_NAMES = ("127.0.0.1", "localhost")
WRONG_NAMES = ("elsewhere.invalid",)
"""For tests: the name is wrong, all else is right."""


@dataclass(frozen=True, slots=True)
class ServerCertificate:
    """PEM files: what clients trust, and what the server shows."""

    ca_path: Path
    chain_and_key_path: Path

    def server_context(self, protocols: Sequence[str] = ()) -> ssl.SSLContext:
        """Return what a server needs to show this certificate, TLS 1.2 and later.

        Of `protocols` it chooses, by ALPN, the first one that the client offers.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self.chain_and_key_path)
        if protocols:
            context.set_alpn_protocols(list(protocols))
        return context


def issue_certificate(
    folder: Path, *, names: tuple[str, ...] = LOOPBACK_NAMES, rsa: bool = False
) -> ServerCertificate:
    """Write a new authority's certificate and a server's into a folder.

    The key is on the curve P-256, or RSA with 2,048 bits.
    """
    kind = trustme.KeyType.RSA if rsa else trustme.KeyType.ECDSA
    authority = trustme.CA(key_type=kind)
    certificate = ServerCertificate(folder / "ca.pem", folder / "server.pem")
    authority.cert_pem.write_to_path(certificate.ca_path)
    server = authority.issue_cert(*names, key_type=kind)
    server.private_key_and_cert_chain_pem.write_to_path(certificate.chain_and_key_path)
    return certificate
