"""A connection in a real browser ends after some seconds, as API Gateway's do after two hours."""

import time
from collections.abc import Callable, Iterator

import pytest

from crier.deployed.deployment import Deployment
from crier.local.page.passing import Passing
from crier.local.page.proxy import Proxy
from crier.local.page.proxy_thread import ProxyThread
from tests.web.local.conftest import MakePage
from tests.web.support.broadcaster import Broadcaster

pytestmark = pytest.mark.timeout(120)
CUT_AFTER_SECONDS = 3.0
PAUSE_SECONDS = 0.1
CONNECTED = [("connecting", "connect"), ("connected", "joined")]


@pytest.fixture
def proxied_url(deployment: Deployment) -> Iterator[str]:
    """Where connections end after some seconds."""
    proxy = Proxy(deployment.web_socket_url, cut_after_seconds=CUT_AFTER_SECONDS)
    with ProxyThread(proxy) as running:
        yield running.url


def send_until(
    broadcaster: Broadcaster, channel: str, is_done: Callable[[], bool], seconds: float = 25.0
) -> list[str]:
    """Send broadcasts at a steady pace until a condition holds; return their ids."""
    sent, give_up = [], time.monotonic() + seconds
    while not is_done():
        assert time.monotonic() < give_up
        sent += broadcaster.send(1, channel=channel)
        time.sleep(PAUSE_SECONDS)
    return sent + broadcaster.send(1, channel=channel)


def test_renewal_misses_and_doubles_nothing(
    listen: MakePage, broadcaster: Broadcaster, news: str, proxied_url: str
) -> None:
    """Three connections, one after another, and the page is told of the first one only."""
    page = listen(url=proxied_url)
    ids = set()

    def has_renewed_twice() -> bool:
        ids.add(page.ask("client.connectionId"))
        return len(ids) == 3

    sent = send_until(broadcaster, news, has_renewed_twice)

    messages = page.wait_for_each_once(news, sent)
    assert {one["replayed"] for one in messages} == {False}
    assert page.states() == CONNECTED
    assert page.ask("reasons")[:3] == ["first", "renewal", "renewal"]
    page.check_nothing_is_wrong()


def test_cut_without_a_renewal_loses_nothing(
    listen: MakePage,
    broadcaster: Broadcaster,
    news: str,
    proxied_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The connection ends before the client expects it: it comes back, and is given the rest."""
    monkeypatch.setattr(Passing, "renewed_within", lambda passing, _: passing.text)
    page = listen(url=proxied_url)

    sent = send_until(broadcaster, news, lambda: page.states().count(("connected", "joined")) == 2)

    page.wait_for_each_once(news, sent)
    assert page.states()[2:5] == [
        ("waiting", "cut"),
        ("connecting", "retry"),
        ("connected", "joined"),
    ]
    assert set(page.ask("reasons")) == {"first", "reconnect"}
    page.check_nothing_is_wrong()
