"""The page that the local run serves, in a real browser, before the real functions."""

import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from selenium.webdriver import Chrome

from crier.deployed.deployment import Deployment
from crier.local.page.serving import served_page
from tests.web.local.conftest import Kick
from tests.web.support.broadcaster import Broadcaster
from tests.web.support.hostile_texts import HOSTILE, LARGEST, NAMED
from tests.web.support.page import Page

pytestmark = pytest.mark.timeout(240)
INLINE = """
const script = document.createElement("script");
script.textContent = "document.title = 'taken'";
document.body.append(script);
const image = document.createElement("img");
image.setAttribute("onerror", "document.title = 'taken'");
image.src = "x";
document.body.append(image);
"""
FOREIGN = "return fetch('https://example.org/').then(() => 'sent', (error) => error.name)"

Serve = Callable[..., Any]


@pytest.fixture
def serve(tab: Chrome, deployment: Deployment, secret: str, news: str) -> Serve:
    """Serves the page, and opens it; it connects by itself, and follows `news`."""

    @contextmanager
    def serve_one(**options: Any) -> Iterator[Page]:
        with served_page(deployment, secret=secret, channels=[news], **options) as served:
            page = Page(tab, served.url)
            page.show_as()
            page.open()
            page.until(lambda: page.text("state-word") == "Connected")
            page.until(lambda: f"{news} 0" in page.text("channels"))
            yield page
            tab.get("about:blank")

    return serve_one


def test_page_shows_hostile_messages_as_text(
    serve: Serve, broadcaster: Broadcaster, news: str
) -> None:
    """What comes through the real queue and functions makes no element, and no noise."""
    texts = [*HOSTILE, LARGEST]
    with serve() as page:
        for number, text in enumerate(texts):
            broadcaster.send_as(f"{news}-{number}", text, channel=news)
        page.until(lambda: page.text("received") == str(len(texts)))
        page.until(lambda: len(page.find_all("#rows .text")) == len(texts))

        rows = page.find_all("#rows .text")
        shown = [page.run("return arguments[0].textContent", row) for row in rows]
        assert {text.translate(NAMED) for text in HOSTILE} <= set(shown)
        assert page.find_all("#rows .text *") == []
        assert page.browser.title == "Crier: what a client receives"
        assert page.troubles() == []


def test_page_runs_no_inline_script_and_asks_no_foreign_host(serve: Serve) -> None:
    """Its policy, in the header, forbids both, also to what a message might put in."""
    with serve() as page:
        with urllib.request.urlopen(page.url, timeout=10) as answer:  # noqa: S310 - our own URL
            policy = answer.headers["Content-Security-Policy"]
        page.run(INLINE)
        found = page.run(FOREIGN)

        page.until(lambda: len(page.run("return brokenPolicies")) >= 3)
        assert "default-src 'none'; script-src 'self';" in policy
        assert "unsafe" not in policy
        assert found == "TypeError"
        assert page.browser.title == "Crier: what a client receives"
        page.troubles()


def test_page_shows_the_code_of_a_bye(serve: Serve, kick: Kick) -> None:
    """A user who is kicked sees why, and the page stays closed."""
    with serve() as page:
        kick("--user", "alice")

        page.until(lambda: page.text("state-word") == "Closed")
        assert "kicked" in page.text("state-why").lower()
        assert page.find("connect").is_enabled()
        assert page.troubles() == []


@pytest.mark.usefixtures("renewed_early")
def test_page_counts_a_renewal_and_misses_nothing(
    serve: Serve, broadcaster: Broadcaster, news: str
) -> None:
    """Its connections end after some seconds; it stays connected."""
    with serve(cut_after_seconds=20) as page:
        sent = broadcaster.send_until(lambda: page.text("renewed") == "2", channel=news)
        page.until(lambda: page.text("received") == str(len(sent)))

        assert page.text("reconnected") == "0"
        assert page.text("losses") == "0"
        assert page.troubles() == []
