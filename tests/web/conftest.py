"""One real Chromium for all tests of a session, and the page in it as each server has it."""

from collections.abc import Callable, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from selenium.webdriver import Chrome

from crier.local.environment import HOST
from crier.local.page.control import Command
from crier.local.page.site import Site
from crier.local.page.web_server import served
from crier.paths import ROOT
from testbed.chromium import BROWSER, DRIVER, PACKAGES, open_chromium
from tests.support.server_process import find_server
from tests.web.support.page import Page
from tests.web.support.scripted_gateway import ScriptedGateway, scripted_gateway

WEB = ROOT / "web"


@pytest.fixture(scope="session")
def browser() -> Iterator[Chrome]:
    """A headless Chromium; without one the tests are skipped, or fail where it is required."""
    for program in (BROWSER, DRIVER):
        find_server(program, PACKAGES)
    with open_chromium() as opened:
        yield opened


@pytest.fixture
def gateway() -> Iterator[ScriptedGateway]:
    """A server that speaks `crier.v1`, and sends what the test says."""
    with scripted_gateway() as serving:
        yield serving


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="session")
def static_host() -> Iterator[str]:
    """The URL of the page on a server that only has its files."""
    server = ThreadingHTTPServer((HOST, 0), partial(_Quiet, directory=str(WEB)))
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield f"http://{HOST}:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def page(browser: Chrome, static_host: str) -> Page:
    """The page on a static host, as on a first visit with a desktop's window in light colours."""
    page = Page(browser, static_host)
    page.show_as()
    page.open()
    return page


@pytest.fixture
def obeyed() -> list[Command]:
    """What the page of a local run has asked for, in order."""
    return []


@pytest.fixture
def local_page(browser: Chrome, gateway: ScriptedGateway, obeyed: list[Command]) -> Iterator[Page]:
    """The page as the local run serves it, in front of `gateway`; its channel is news."""

    def obey(command: Command) -> int:
        obeyed.append(command)
        return 1

    made: Callable[[str], str] = "token-of-{}".format
    site = Site(WEB, lambda: gateway.url, "ticket", obey, make_token=made, channels=["news"])
    with served(site.answer, port=0) as url:
        page = Page(browser, url)
        page.show_as()
        page.open()
        yield page
        page.browser.get("about:blank")
