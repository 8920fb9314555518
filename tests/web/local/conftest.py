"""One local AWS with the app and one web server, for all tests of this folder.

The stack has auth=jwt, with a secret of its own.
"""

import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from selenium.webdriver import Chrome
from typer.testing import CliRunner

from crier import cli, options
from crier.deployed.deployment import Deployment
from crier.local import own_issuer
from crier.local.deploy import deploy_locally
from crier.local.local_aws import LocalAws, LocalEndpoint
from crier.local.page.passing import Passing
from testbed.wire_faults import STARTUP
from tests.support.function_logs import Logs
from tests.web.support.broadcaster import Broadcaster
from tests.web.support.browser_tab import complaints, freeze, network_log, set_offline
from tests.web.support.listening_page import ListeningPage, open_page
from tests.web.support.web_site import WebSite, served_site
from tests.web.support.wire import Wire

MakePage = Callable[..., ListeningPage]
Kick = Callable[..., None]


@pytest.fixture(scope="session")
def local_aws(browser: Chrome) -> Iterator[LocalAws]:
    """A local AWS whose functions may be killed; it needs no start where there is no browser."""
    assert browser.session_id
    with LocalAws(startup=STARTUP) as aws:
        yield aws


@pytest.fixture(scope="session")
def deployment(local_aws: LocalAws) -> Deployment:
    """The app, with tokens of its own."""
    return deploy_locally(local_aws, lambda _: None, auth="jwt", **own_issuer.SETTINGS)


@pytest.fixture(scope="session")
def secret(deployment: Deployment) -> str:
    """What tokens are signed with."""
    return own_issuer.make_secret(deployment)


@pytest.fixture(scope="session")
def token_for(secret: str) -> Callable[[str], str]:
    """Makes a user's token; that of the user `refused` is not accepted."""

    def make(user: str) -> str:
        key = "x" * len(secret) if user == "refused" else secret
        return own_issuer.token_for(user, key, now_seconds=int(time.time()))

    return make


@pytest.fixture(scope="session")
def site(token_for: Callable[[str], str]) -> Iterator[WebSite]:
    """The server of the pages."""
    with served_site(token_for) as site:
        yield site


@pytest.fixture
def wire(local_aws: LocalAws) -> Iterator[Wire]:
    """The network between the browser and the local AWS."""
    with Wire(local_aws.port) as wire:
        yield wire


@pytest.fixture
def web_socket_url(deployment: Deployment, local_aws: LocalAws, wire: Wire) -> str:
    """Where clients connect: through the wire."""
    return deployment.web_socket_url.replace(f":{local_aws.port}/", f":{wire.port}/")


@pytest.fixture(scope="session")
def broadcaster(deployment: Deployment, local_aws: LocalAws) -> Broadcaster:
    """The producer."""
    return Broadcaster(deployment, Logs(local_aws.logs))


@pytest.fixture
def renewed_early(monkeypatch: pytest.MonkeyPatch) -> None:
    """Has the proxy say that connections end after two seconds, which they do later.

    API Gateway leaves a client minutes to renew its connection; on a busy machine the local AWS
    takes seconds to let one in.
    """
    told = Passing.renewed_within
    monkeypatch.setattr(Passing, "renewed_within", lambda passing, _: told(passing, 2_000))


@pytest.fixture
def news() -> str:
    """A channel that no other test has."""
    return f"news-{secrets.token_hex(4)}"


@pytest.fixture
def tab(browser: Chrome) -> Iterator[Chrome]:
    """The browser with one empty tab; afterwards no page of the test is left, nor its storage."""
    first = browser.current_window_handle
    complaints(browser)
    network_log(browser)
    yield browser
    for handle in browser.window_handles:
        browser.switch_to.window(handle)
        freeze(browser, is_frozen=False)
        set_offline(browser, is_offline=False)
        if handle != first:
            browser.close()
    browser.switch_to.window(first)
    browser.set_window_rect(0, 0, 1000, 800)
    browser.execute_script("if (location.protocol === 'http:') localStorage.clear()")
    browser.get("about:blank")


@pytest.fixture
def listen(tab: Chrome, site: WebSite, web_socket_url: str, news: str) -> MakePage:
    """Opens the page in the tab that is shown; its client is connected, and follows `news`."""

    def open_one(**options: Any) -> ListeningPage:
        said = {"url": web_socket_url, "user": "alice", "channels": [news], **options}
        page = open_page(tab, site.url, **said)
        page.wait_until_ready(1 + len(said["channels"]))
        return page

    return open_one


@pytest.fixture
def kick(deployment: Deployment, monkeypatch: pytest.MonkeyPatch) -> Kick:
    """Runs `crier kick`."""
    endpoint = LocalEndpoint(deployment.endpoint_url or "")
    monkeypatch.setattr(options, "running_endpoint", lambda: endpoint)

    def run(*arguments: str) -> None:
        result = CliRunner().invoke(cli.app, ["kick", *arguments])
        assert result.exit_code == 0, result.output

    return run
