"""A page in a real browser is let in by its token, in a query or sub-protocol, and thrown out."""

from collections.abc import Iterator
from typing import Any

import pytest
from selenium.webdriver import Chrome

from crier.deployed.deployment import Deployment
from crier.local.page.proxy import Proxy
from crier.local.page.proxy_thread import ProxyThread
from tests.support.waiting import wait_for
from tests.web.local.conftest import Kick, MakePage
from tests.web.support.broadcaster import Broadcaster
from tests.web.support.browser_tab import events_in, network_log
from tests.web.support.listening_page import open_page
from tests.web.support.web_site import WebSite

pytestmark = pytest.mark.timeout(240)


@pytest.fixture
def proxied_url(deployment: Deployment) -> Iterator[str]:
    """Where sub-protocols are answered, as API Gateway does."""
    with ProxyThread(Proxy(deployment.web_socket_url)) as running:
        yield running.url


def test_token_in_the_query_lets_in(
    tab: Chrome, listen: MakePage, broadcaster: Broadcaster, news: str, proxied_url: str
) -> None:
    """The client offers no sub-protocol then."""
    page = listen(url=proxied_url)

    page.wait_for_each_once(news, broadcaster.send(3, channel=news))
    (handshake,) = handshakes(tab)
    assert "?token=ey" in handshake["url"]
    assert "Sec-WebSocket-Protocol" not in handshake["headers"]


def test_token_as_a_sub_protocol_lets_in_and_is_in_no_url(
    tab: Chrome, listen: MakePage, broadcaster: Broadcaster, news: str, proxied_url: str
) -> None:
    """The server answers the other protocol that is offered, which the browser insists on."""
    page = listen(url=proxied_url, tokenIn="protocol")

    page.wait_for_each_once(news, broadcaster.send(3, channel=news))
    (handshake,) = handshakes(tab)
    offered = handshake["headers"]["Sec-WebSocket-Protocol"]
    assert offered.startswith("crier.v1, bearer.ey")
    assert handshake["url"] == proxied_url
    assert handshake["answer"]["Sec-WebSocket-Protocol"] == "crier.v1"


def handshakes(tab: Chrome) -> list[dict[str, Any]]:
    """Return the URLs, headers and answers of connections that were opened in this test."""
    log = network_log(tab)
    created, sent, answered = (
        events_in(log, f"webSocket{kind}")
        for kind in ("Created", "WillSendHandshakeRequest", "HandshakeResponseReceived")
    )
    return [
        {
            "url": one["url"],
            "headers": two["request"]["headers"],
            "answer": three["response"]["headers"],
        }
        for one, two, three in zip(created, sent, answered, strict=True)
    ]


def test_refused_token_is_told_and_tried_anew(
    tab: Chrome, site: WebSite, web_socket_url: str, news: str, broadcaster: Broadcaster
) -> None:
    """A browser says nothing of why; from the third refusal on the page is told, and tries on."""
    page = open_page(
        tab, site.url, url=web_socket_url, user="refused", channels=[news], minDelayMs=1
    )

    wait_for(lambda: page.heard("error"))
    (error, *_) = page.heard("error")
    assert (error["code"], error["retry"]) == ("refused", True)
    assert page.ask("reasons")[:3] == ["first", "refused", "refused"]
    page.ask("use('alice')")
    page.wait_for_state("connected")
    page.wait_until_ready(2)
    page.wait_for_each_once(news, broadcaster.send(3, channel=news))


def test_kicked_page_is_closed_with_the_code_of_the_bye(
    tab: Chrome, listen: MakePage, kick: Kick
) -> None:
    """It stays away; the page knows why."""
    page = listen(user="mallory")

    kick("--user", "mallory")

    page.wait_for_state("closed", "kicked")
    page.check_nothing_is_wrong()
    assert len(events_in(network_log(tab), "webSocketCreated")) == 1


def test_page_that_is_told_to_reconnect_misses_nothing(
    listen: MakePage, kick: Kick, broadcaster: Broadcaster, news: str
) -> None:
    """A `bye` with a time: it comes back within it."""
    page = listen(user="carol")
    before = broadcaster.send(2, channel=news)
    page.wait_for_each_once(news, before)

    kick("--user", "carol", "--code", "moved", "--reconnect-after", "3000")
    meanwhile = broadcaster.send(3, channel=news)
    page.wait_for_state("connected")

    page.wait_for_each_once(news, [*before, *meanwhile])
    assert page.states()[2:] == [
        ("waiting", "moved"),
        ("connecting", "retry"),
        ("connected", "joined"),
    ]
    assert page.heard("state")[2]["retryInMs"] <= 3_000
    page.check_nothing_is_wrong()
