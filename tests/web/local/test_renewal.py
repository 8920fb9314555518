"""A connection in a real browser ends after some seconds, as API Gateway's do after two hours."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from selenium.webdriver import Chrome

from crier.deployed.deployment import Deployment
from crier.local.page.passing import Passing
from crier.local.page.proxy import Proxy
from crier.local.page.proxy_thread import ProxyThread
from tests.support.waiting import wait_for
from tests.web.local.conftest import MakePage
from tests.web.support.broadcaster import Broadcaster
from tests.web.support.browser_tab import events_in, network_log

pytestmark = pytest.mark.timeout(240)
CONNECTED = [("connecting", "connect"), ("connected", "joined")]


@contextmanager
def cut_after(seconds: float, deployment: Deployment) -> Iterator[str]:
    """Yield a URL at which connections end after some seconds."""
    proxy = Proxy(deployment.web_socket_url, cut_after_seconds=seconds)
    with ProxyThread(proxy) as running:
        yield running.url


@pytest.mark.usefixtures("renewed_early")
def test_renewal_misses_and_doubles_nothing(
    tab: Chrome, listen: MakePage, deployment: Deployment, broadcaster: Broadcaster, news: str
) -> None:
    """Three connections, one after another; the page is told of the first one only."""
    ids = set()
    with cut_after(20, deployment) as url:
        page = listen(url=url)

        def has_renewed_twice() -> bool:
            ids.add(page.ask("client.connectionId"))
            return len(ids) == 3

        sent = broadcaster.send_until(has_renewed_twice, channel=news)

        page.wait_for_each_once(news, sent)
        wait_for(lambda: len(page.ask("reasons")) >= 3)
        assert page.ask("reasons")[:3] == ["first", "renewal", "renewal"]
        assert page.states() == CONNECTED
        page.check_nothing_is_wrong()
        assert len(events_in(network_log(tab), "webSocketClosed")) >= 2


def test_cut_without_a_renewal_loses_nothing(
    listen: MakePage,
    deployment: Deployment,
    broadcaster: Broadcaster,
    news: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The connection ends long before the client expects it; it comes back, and has all."""
    monkeypatch.setattr(Passing, "renewed_within", lambda passing, _: passing.text)
    with cut_after(4, deployment) as url:
        page = listen(url=url)

        def is_back() -> bool:
            return page.states().count(("connected", "joined")) == 2

        sent = broadcaster.send_until(is_back, channel=news)

        page.wait_for_each_once(news, sent)
        assert page.states()[2] == ("waiting", "cut")
        assert set(page.ask("reasons")) == {"first", "reconnect"}
        page.check_nothing_is_wrong()
