"""nginx, which answers posts by their paths: on one port over HTTP/2, on one over HTTP/1.1 only."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from testbed.stand_in.certificate import ServerCertificate
from tests.support.loopback import unused_port
from tests.support.received_posts import HTTP_1, HTTP_2, ReceivedPost
from tests.support.server_process import ServerProcess, find_server

_PROTOCOLS = {"HTTP/2.0": HTTP_2, "HTTP/1.1": HTTP_1}
_STATUSES = {"gone": 410, "full": 429, "down": 503, "wrong": 400}
_ANSWERS = "".join(
    f"location ~ /@connections/{name} {{ return {status}; }} " for name, status in _STATUSES.items()
)
_VARIABLES = {
    "protocol": "$server_protocol",
    "connection": "$connection",
    "path": "$request_uri",
    "body": "$request_body",
    "host": "$http_host",
    "x-amz-date": "$http_x_amz_date",
    "x-amz-security-token": "$http_x_amz_security_token",
    "authorization": "$http_authorization",
    "content-length": "$http_content_length",
}
_OWN = ("protocol", "connection", "path", "body")
"""What is no header."""

# The outer server reads a post whole before it passes it on to the inner one, which answers.
_CONFIGURATION = """
daemon off; master_process off; error_log stderr error; pid {folder}/pid;
events {{ worker_connections 4096; }}
http {{
    log_format post escape=json '{line}';
    client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    large_client_header_buffers 4 32k; client_body_buffer_size 256k; keepalive_timeout 60s;
    server {{
        listen 127.0.0.1:{port} ssl http2; listen 127.0.0.1:{http1_port} ssl;
        ssl_certificate {pem}; ssl_certificate_key {pem};
        http2_max_concurrent_streams {streams}; keepalive_requests {requests};
        access_log {folder}/access.log post;
        location / {{ proxy_pass http://unix:{folder}/inner; proxy_http_version 1.1; }}
    }}
    server {{
        listen unix:{folder}/inner; access_log off;
        {answers}
        location / {{ return 200; }}
    }}
}}
"""


class Nginx:
    """A running nginx; `authorities` has its host and port for each protocol."""

    def __init__(self, certificate: ServerCertificate, folder: Path, **limits: int) -> None:
        """Take `streams` of a connection at once, and the `requests` after which it ends."""
        self._program = find_server("nginx", "nginx")
        self._folder = folder
        self._facts = {"folder": folder, "pem": certificate.chain_and_key_path, **limits}
        self.authorities: dict[str, str] = {}
        self.process = ServerProcess(folder, self._command)

    def _command(self, port: int) -> Sequence[str]:
        http1_port = unused_port()
        self.authorities = {HTTP_2: f"127.0.0.1:{port}", HTTP_1: f"127.0.0.1:{http1_port}"}
        ports = {"port": port, "http1_port": http1_port}
        configuration = self._folder / "nginx.conf"
        configuration.write_text(
            _CONFIGURATION.format(
                **self._facts, **ports, line=json.dumps(_VARIABLES), answers=_ANSWERS
            )
        )
        return self._program, "-e", "stderr", "-c", str(configuration)

    def received(self) -> list[ReceivedPost]:
        """Have it end; return the posts that it has answered."""
        self.process.stop()
        lines = (self._folder / "access.log").read_text().splitlines()
        return [_received(json.loads(line)) for line in lines]


@contextmanager
def running_nginx(
    certificate: ServerCertificate, *, streams: int = 128, requests: int = 1_000_000
) -> Iterator[Nginx]:
    """Run nginx; each connection takes `streams` at once, and ends after `requests`."""
    with TemporaryDirectory(prefix="nginx-") as folder:  # short: a socket's path is limited
        nginx = Nginx(certificate, Path(folder), streams=streams, requests=requests)
        with nginx.process:
            yield nginx


def _received(facts: dict[str, Any]) -> ReceivedPost:
    headers = {name: facts[name] for name in facts if name not in _OWN and facts[name]}
    return ReceivedPost(
        _PROTOCOLS[facts["protocol"]],
        facts["connection"],
        facts["path"],
        headers,
        facts["body"].encode(),
    )
