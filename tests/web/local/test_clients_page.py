"""The page that docs/user/clients.md shows, as it stands there, in a real browser."""

import re

import pytest
from selenium.webdriver import Chrome

from crier.paths import ROOT
from tests.support.waiting import wait_for
from tests.web.support.broadcaster import Broadcaster
from tests.web.support.browser_tab import complaints
from tests.web.support.web_site import WebSite
from tests.web.support.wire import Wire

pytestmark = pytest.mark.timeout(240)
CLIENTS = ROOT / "docs" / "user" / "clients.md"
AWS_URL = "wss://API_ID.execute-api.REGION.amazonaws.com/STAGE"


def shown_page() -> str:
    """Return the page's one block of HTML."""
    (block,) = re.findall(r"^```html\n(.*?)^```$", CLIENTS.read_text(), re.MULTILINE | re.DOTALL)
    return str(block)


def test_page_of_the_documents_shows_what_is_sent(
    tab: Chrome, site: WebSite, web_socket_url: str, broadcaster: Broadcaster, wire: Wire
) -> None:
    """With nothing changed but the URL; also what was sent while its connection was cut."""
    assert shown_page().count(AWS_URL) == 1
    url = f"{web_socket_url}?token={site.token_for('alice')}"
    site.free_pages["example.html"] = shown_page().replace(AWS_URL, url)

    def items() -> list[str]:
        script = "return [...document.querySelectorAll('#news li')].map((one) => one.textContent)"
        found: list[str] = tab.execute_script(script)
        return found

    tab.get(f"{site.url}/example.html")
    state = "return document.querySelector('#state').textContent"
    wait_for(lambda: tab.execute_script(state) == "connected")
    broadcaster.send_as("example-1", "Hear ye!", channel="news")
    broadcaster.send_as("example-2", {"to": "everyone"})
    wait_for(lambda: len(items()) == 2)
    wire.close()
    wait_for(lambda: tab.execute_script(state).startswith("waiting, again in"))
    broadcaster.send_as("example-3", "<b>missed</b>", channel="news")
    wire.open()

    wait_for(lambda: len(items()) == 3)
    assert set(items()[1:]) == {'news: "Hear ye!"', '*: {"to":"everyone"}'}
    assert items()[0].removesuffix(" (was missed)") == 'news: "<b>missed</b>"'
    assert complaints(tab) == []
