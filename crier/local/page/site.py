"""What the page's server answers: the page's files, what the page has to know, and its buttons.

| request | answer |
|---|---|
| `GET /`, `/page.js`, … | a file of the folder `web` |
| `GET /local.json` | an object: see below |
| `GET` or `POST /token?user=alice` | `{"token": TEXT}`: a new one, or a new ticket, for this user |
| `POST /control` | see `control` |

`local.json` has `url` for clients, `auth`, `token` (the path that makes tokens, null where the run
makes none), `control`, `cutAfterSeconds` (null for never) and `channels` that something is sent to.
An error is `{"error": TEXT}`.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs

from broadcasting.checks import USER
from broadcasting.strict_json import shown
from crier.errors import CrierError
from crier.local.page.answers import JSON, Answer, Asked, refused, told
from crier.local.page.control import Obey, Refuse, parse_command
from crier.local.page.guard import is_foreign, is_own_host, is_own_origin
from crier.local.page.tokens import MakeToken

TOKEN: Final = "/token"  # noqa: S105 - a path
CONTROL: Final = "/control"
_USER: Final = "alice"
_KEPT: Final = "no-cache"
"""Asked for anew each time; with `no-store` no browser keeps the page in its back/forward cache."""

_TYPES: Final = {
    "html": "text/html; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "svg": "image/svg+xml",
}
_FILE: Final = re.compile(rf"/([a-z][a-z_-]*\.({'|'.join(_TYPES)}))")
"""A file of the page: it lies in the folder itself, which keeps a path from leading out of it."""


@dataclass(frozen=True, slots=True)
class Site:
    """The page of one local run. `folder` has its files, `url_for_clients` makes a URL each time.

    `make_token` is None where the run makes no tokens; `channels` are those it sends to.
    """

    folder: Path
    url_for_clients: Callable[[], str]
    auth: str
    obey: Obey
    make_token: MakeToken | None = None
    cut_after_seconds: int | None = None
    channels: Sequence[str] = field(default=())

    def answer(self, asked: Asked, port: int) -> Answer:
        """Answer a request that came to a port; what another site's page asks for is refused."""
        if not is_own_host(asked.headers.get("host"), port):
            return refused(403, f"expected the host 127.0.0.1:{port} or localhost:{port}")
        if asked.method == "GET" and (page := self._page(asked.path)):
            return page
        is_own = asked.method == "GET" or is_own_origin(asked.headers.get("origin"), port)
        if not is_own or is_foreign(asked.headers, port):
            return refused(403, f"this is for the page of http://127.0.0.1:{port} only")
        return self._told(asked)

    def _page(self, path: str) -> Answer | None:
        """Answer with a file of the page, None when the path is that of none."""
        if path == "/favicon.ico":  # browsers ask for it, and call a 404 an error of the page
            return Answer(204)
        file = _FILE.fullmatch("/index.html" if path == "/" else path)
        if file is None:
            return None
        try:
            body = (self.folder / file[1]).read_bytes()
            return Answer(200, _TYPES[file[2]], body, _KEPT)
        except OSError:
            return refused(404, f"the page has no file {file[1]}")

    def _told(self, asked: Asked) -> Answer:
        if asked.path == TOKEN and self.make_token is not None:
            return _token(self.make_token, asked.query)
        if asked.path == CONTROL and asked.method == "POST":
            return self._controlled(asked)
        if asked.path == "/local.json" and asked.method == "GET":
            return told(self._facts())
        return refused(404, f"found {asked.method} {shown(asked.path)}, which is not here")

    def _facts(self) -> dict[str, Any]:
        return {
            "url": self.url_for_clients(),
            "auth": self.auth,
            "token": None if self.make_token is None else TOKEN,
            "control": CONTROL,
            "cutAfterSeconds": self.cut_after_seconds,
            "channels": list(self.channels),
        }

    def _controlled(self, asked: Asked) -> Answer:
        if asked.headers.get("content-type", "").partition(";")[0].strip() != JSON:
            return refused(415, f"expected the header Content-Type to be {JSON}")
        try:
            command = parse_command(asked.body)
        except CrierError as error:
            return refused(400, str(error))
        reached = self.obey(command)
        if not reached and not isinstance(command, Refuse) and command.connection is not None:
            return refused(404, f"no connection has the id {shown(command.connection)}")
        return told({"connections": reached})


def _token(make: MakeToken, query: str) -> Answer:
    users = parse_qs(query, keep_blank_values=True).get("user", [_USER])
    user = users[0] if len(users) == 1 else None
    if wrong := USER(user):
        return refused(400, f"found user={shown(user)}, {wrong}")
    try:
        return told({"token": make(str(user))})
    except CrierError as error:
        return refused(502, str(error))
