"""A small web server on loopback with crier.js, the pages of tests/web, and tokens for clients."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Final
from urllib.parse import parse_qs, urlsplit

from crier.paths import ROOT

POLICY: Final = "; ".join(
    (
        *("default-src 'none'", "script-src 'self'", "connect-src 'self' ws://127.0.0.1:*"),
        *("base-uri 'none'", "form-action 'none'", "frame-ancestors 'none'"),
        "require-trusted-types-for 'script'",
    )
)
"""What the pages may do: no inline script, and no text that becomes HTML (Trusted Types)."""

_FOLDERS: Final = (ROOT / "web", ROOT / "tests" / "web" / "local" / "pages")
_TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript",
    "mjs": "text/javascript",
}


@dataclass(frozen=True, slots=True)
class WebSite:
    """What it serves. `token_for` makes a user's token; `free_pages` are HTML without a policy."""

    token_for: Callable[[str], str]
    url: str
    free_pages: dict[str, str] = field(default_factory=dict)


class _Server(ThreadingHTTPServer):
    """Has the site that its handlers serve."""

    site: WebSite


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        name = parts.path.removeprefix("/")
        if name == "favicon.ico":  # browsers ask for it, and call a 404 an error of the page
            self._answer(204)
        elif name == "token":
            (user,) = parse_qs(parts.query)["user"]
            self._answer(200, "text/plain", self._site.token_for(user).encode())
        elif page := self._site.free_pages.get(name):
            self._answer(200, _TYPES["html"], page.encode(), policy=None)
        else:
            self._send_file(name)

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    @property
    def _site(self) -> WebSite:
        assert isinstance(self.server, _Server)
        return self.server.site

    def _send_file(self, name: str) -> None:
        files = [folder / name for folder in _FOLDERS if (folder / name).is_file()]
        if "/" in name or not files:
            self._answer(404)
        else:
            self._answer(200, _TYPES[name.rpartition(".")[2]], files[0].read_bytes())

    def _answer(
        self, status: int, kind: str = "", body: bytes = b"", *, policy: str | None = POLICY
    ) -> None:
        self.send_response(status)
        if kind:
            self.send_header("Content-Type", kind)
        if policy:
            self.send_header("Content-Security-Policy", policy)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def served_site(token_for: Callable[[str], str]) -> Iterator[WebSite]:
    """Serve until the block ends. Nothing forbids the back/forward cache to keep a page."""
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.site = WebSite(token_for, f"http://127.0.0.1:{server.server_port}")
        thread = Thread(target=server.serve_forever, args=(0.1,), daemon=True)
        thread.start()
        try:
            yield server.site
        finally:
            server.shutdown()
            thread.join()
