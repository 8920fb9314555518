"""What the page's server answers, and to which requests: its own page's, at a loopback name."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from crier.errors import CrierError
from crier.local.page.answers import HEADERS, Answer, Asked
from crier.local.page.control import Command, Cut, Drop, Refuse
from crier.local.page.site import Site

PORT = 4711
HOST = {"host": f"127.0.0.1:{PORT}"}
BUTTON = {**HOST, "origin": f"http://127.0.0.1:{PORT}", "content-type": "application/json"}


@dataclass
class FakeProxy:
    """Keeps the commands; `connections` are those that each of them reaches."""

    connections: int = 1
    commands: list[Command] = field(default_factory=list)

    def obey(self, command: Command) -> int:
        """Take a command."""
        self.commands.append(command)
        return self.connections


@pytest.fixture
def proxy() -> FakeProxy:
    """A proxy with one connection."""
    return FakeProxy()


@pytest.fixture
def site(tmp_path: Path, proxy: FakeProxy) -> Site:
    """The page of a local run that makes tokens, in a folder that has more than the page."""
    web = tmp_path / "web"
    (web / "node_modules").mkdir(parents=True)
    for name in ("index.html", "page.js", "page-words.js", "page.css", "package.json", ".env.js"):
        (web / name).write_text(f"/* {name} */")
    (web / "node_modules" / "index.js").write_text("no part of the page")
    (tmp_path / "secret.js").write_text("no part of the page")
    return Site(
        folder=web,
        url_for_clients=lambda: "ws://proxy/dev",
        auth="ticket",
        obey=proxy.obey,
        make_token=lambda user: f"token of {user}",
        cut_after_seconds=60,
        channels=("news",),
    )


def got(site: Site, target: str, headers: Mapping[str, str] = HOST) -> Answer:
    """Return the answer to a GET."""
    return site.answer(Asked("GET", target, headers), PORT)


def pressed(site: Site, body: bytes, headers: Mapping[str, str] = BUTTON) -> Answer:
    """Return the answer to a button."""
    return site.answer(Asked("POST", "/control", headers, body), PORT)


def said(answer: Answer) -> Any:
    """Return the JSON of an answer."""
    return json.loads(answer.body)


@pytest.mark.parametrize(
    ("target", "content_type", "name"),
    [
        ("/", "text/html; charset=utf-8", "index.html"),
        ("/index.html?x=1", "text/html; charset=utf-8", "index.html"),
        ("/page.js", "text/javascript; charset=utf-8", "page.js"),
        ("/page-words.js", "text/javascript; charset=utf-8", "page-words.js"),
        ("/page.css", "text/css; charset=utf-8", "page.css"),
    ],
)
def test_page_has_its_files(site: Site, target: str, content_type: str, name: str) -> None:
    """With the types that browsers want of scripts and styles."""
    assert got(site, target) == Answer(
        200, content_type, f"/* {name} */".encode(), caching="no-cache"
    )


@pytest.mark.parametrize(
    "target",
    [
        *("/package.json", "/.env.js", "/node_modules/index.js", "/../secret.js", "//secret.js"),
        *("/%2e%2e/secret.js", "/page.js/", "/missing.js", "/control", "/x"),
        *("http://[", "//[", "", "*"),
    ],
)
def test_page_has_nothing_else(site: Site, target: str) -> None:
    """No path leads out of the folder, nor to what is no part of the page."""
    assert got(site, target).status == 404


def test_icon_that_browsers_ask_for_is_no_error(site: Site) -> None:
    """A 404 would be an error in the page's console."""
    assert got(site, "/favicon.ico").status == 204


def test_every_answer_has_a_strict_policy() -> None:
    """No inline script, nothing of another site, no frame around it."""
    policy = set(HEADERS["Content-Security-Policy"].split("; "))

    assert policy == {
        *("default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'"),
        *("connect-src 'self' ws: wss:", "base-uri 'none'", "form-action 'none'"),
        "frame-ancestors 'none'",
    }
    assert HEADERS["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("target", ["/token", "/local.json", "/missing.js", "/control"])
def test_what_is_no_file_is_stored_nowhere(site: Site, target: str) -> None:
    """A token least of all."""
    assert got(site, target).caching == "no-store"


def test_page_is_told_of_its_local_run(site: Site) -> None:
    """Where to connect, how to come in, and what it may break."""
    assert said(got(site, "/local.json")) == {
        "url": "ws://proxy/dev",
        "auth": "ticket",
        "token": "/token",
        "control": "/control",
        "cutAfterSeconds": 60,
        "channels": ["news"],
    }


@pytest.mark.parametrize(
    ("query", "status", "found"),
    [
        ("?user=bob", 200, {"token": "token of bob"}),
        ("", 200, {"token": "token of alice"}),
        ("?user=", 400, None),
        ("?user=a&user=b", 400, None),
        ("?user=%0a", 400, None),
    ],
)
def test_token_is_made_for_the_user_who_is_named(
    site: Site, query: str, status: int, found: object
) -> None:
    """It is alice when none is named; a name that is none is refused."""
    answer = got(site, f"/token{query}")

    assert answer.status == status
    assert found in (None, said(answer))


def test_token_may_be_asked_for_by_the_page_only(site: Site) -> None:
    """By POST, too, where the Origin has to be the page's."""
    own = site.answer(Asked("POST", "/token", BUTTON), PORT)
    bare = site.answer(Asked("POST", "/token", HOST), PORT)
    foreign = got(site, "/token", {**HOST, "sec-fetch-site": "cross-site"})

    assert (own.status, bare.status, foreign.status) == (200, 403, 403)


def test_token_that_cannot_be_made_is_an_error_with_its_reason(site: Site) -> None:
    """The local AWS may have ended."""

    def make_none(_user: str) -> str:
        raise CrierError("no ticket was written: it is down")

    answer = got(replace(site, make_token=make_none), "/token")

    assert answer.status == 502
    assert said(answer) == {"error": "no ticket was written: it is down"}


def test_run_that_makes_no_tokens_has_none(site: Site) -> None:
    """An open stack wants none."""
    bare = replace(site, make_token=None)

    assert said(got(bare, "/local.json"))["token"] is None
    assert got(bare, "/token").status == 404


@pytest.mark.parametrize(
    ("body", "command"),
    [
        (b'{"do":"cut"}', Cut()),
        (b'{"do":"refuse","seconds":5}', Refuse(5)),
        (b'{"do":"drop","connection":"a","frames":2}', Drop("a", 2)),
    ],
)
def test_button_reaches_the_proxy(
    site: Site, proxy: FakeProxy, body: bytes, command: Command
) -> None:
    """It is told how many connections it has reached."""
    answer = pressed(site, body, {**BUTTON, "content-type": "application/json; charset=utf-8"})

    assert (answer.status, said(answer)) == (200, {"connections": 1})
    assert proxy.commands == [command]


@pytest.mark.parametrize(
    ("body", "status"), [(b'{"do":"cut","connection":"a"}', 404), (b'{"do":"cut"}', 200)]
)
def test_button_for_a_connection_that_is_gone_is_an_error(
    site: Site, proxy: FakeProxy, body: bytes, status: int
) -> None:
    """All connections may be none."""
    proxy.connections = 0

    assert pressed(site, body).status == status


def test_button_that_is_none_is_refused(site: Site, proxy: FakeProxy) -> None:
    """The answer says what was expected."""
    answer = pressed(site, b"{}")

    assert answer.status == 400
    assert "expected one of cut, refuse, drop" in said(answer)["error"]
    assert proxy.commands == []


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"host": f"evil.example:{PORT}"}, 403),
        ({"host": "127.0.0.1:80"}, 403),
        ({"host": "127.0.0.1"}, 403),
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "http://127.0.0.1:80"}, 403),
        ({"origin": f"https://127.0.0.1:{PORT}"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": ""}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"content-type": "text/plain"}, 415),
        ({"content-type": ""}, 415),
        ({"host": f"localhost:{PORT}", "origin": f"http://localhost:{PORT}"}, 200),
        ({"sec-fetch-site": "same-origin"}, 200),
    ],
)
def test_buttons_are_those_of_the_own_page(
    site: Site, proxy: FakeProxy, change: dict[str, str], status: int
) -> None:
    """Another page in the same browser, and a name that leads here, break nothing."""
    answer = pressed(site, b'{"do":"cut"}', {**BUTTON, **change})

    assert answer.status == status
    assert len(proxy.commands) == (status == 200)


def test_button_without_an_origin_is_refused(site: Site, proxy: FakeProxy) -> None:
    """Browsers send it with every POST."""
    headers = {name: value for name, value in BUTTON.items() if name != "origin"}

    assert pressed(site, b'{"do":"cut"}', headers).status == 403
    assert proxy.commands == []


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost"])
def test_usual_port_is_left_out_by_browsers(site: Site, proxy: FakeProxy, name: str) -> None:
    """Neither Host nor Origin has port 80."""
    headers = {**BUTTON, "host": name, "origin": f"http://{name}"}

    page = site.answer(Asked("GET", "/", {"host": name}), 80)
    button = site.answer(Asked("POST", "/control", headers, b'{"do":"cut"}'), 80)

    assert (page.status, button.status) == (200, 200)
    assert proxy.commands == [Cut()]


@pytest.mark.parametrize("target", ["/", "/page.js", "/local.json", "/token", "/favicon.ico"])
@pytest.mark.parametrize("headers", [{}, {"host": f"evil.example:{PORT}"}])
def test_nothing_is_told_under_a_foreign_name(
    site: Site, target: str, headers: Mapping[str, str]
) -> None:
    """A name of another site that leads to this machine (DNS rebinding) reads nothing here."""
    assert got(site, target, headers).status == 403
