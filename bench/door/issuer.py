"""An issuer of tokens for a minute: signs with RS256, and shows its keys on loopback."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa
from jwt.algorithms import RSAAlgorithm

ISSUER, AUDIENCE, KEY_ID = "https://issuer.example", "crier", "bench"
_LIFE_SECONDS = 3_600


class Issuer:
    """Signs tokens with a key of its own."""

    def __init__(self) -> None:
        self._key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)

    @property
    def key_set(self) -> bytes:
        """The JWKS document."""
        jwk = json.loads(RSAAlgorithm.to_jwk(self._key.public_key()))
        return json.dumps({"keys": [jwk | {"kid": KEY_ID, "use": "sig"}]}).encode()

    def token(self, user: str) -> str:
        """Return a token of a user that is good for an hour."""
        claims: dict[str, Any] = {"iss": ISSUER, "aud": AUDIENCE, "sub": user}
        claims["exp"] = int(time.time()) + _LIFE_SECONDS
        return jwt.encode(claims, self._key, algorithm="RS256", headers={"kid": KEY_ID})

    @contextmanager
    def shown(self) -> Iterator[str]:
        """Show the keys on loopback, at the URL that is yielded."""
        document = self.key_set

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", str(len(document)))
                self.end_headers()
                self.wfile.write(document)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
            thread = Thread(target=server.serve_forever, daemon=True)
            thread.start()
            try:
                yield f"http://127.0.0.1:{server.server_port}/keys"
            finally:
                server.shutdown()
                thread.join()
