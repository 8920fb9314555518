"""A page in a real browser is hidden, frozen, left, come back to and reloaded; nothing is lost."""

import time

import pytest
from selenium.webdriver import Chrome

from tests.support.waiting import wait_for
from tests.web.local.conftest import MakePage
from tests.web.support.broadcaster import Broadcaster
from tests.web.support.browser_tab import events_in, freeze, network_log
from tests.web.support.listening_page import ListeningPage
from tests.web.support.web_site import WebSite
from tests.web.support.wire import Wire

pytestmark = pytest.mark.timeout(240)
CONNECTED = [("connecting", "connect"), ("connected", "joined")]


def seen_while(page: ListeningPage, visibility: str) -> set[str]:
    """Return the ids of the messages that came while the page was visible, or hidden."""
    heard = [one for one in page.ask("heard") if one["visibility"] == visibility]
    return {one["detail"]["id"] for one in heard if one["type"] == "message"}


def test_hidden_tab_receives_all_and_keeps_its_connection(
    tab: Chrome, listen: MakePage, broadcaster: Broadcaster, news: str
) -> None:
    """When it is shown again it asks whether its connection is alive, and is answered."""
    page = listen()
    connection = page.ask("client.connectionId")

    tab.minimize_window()
    meanwhile = broadcaster.send(10, channel=news)
    wait_for(lambda: seen_while(page, "hidden") == set(meanwhile))
    tab.set_window_rect(0, 0, 1000, 800)
    wait_for(lambda: [one for one in texts_in(tab) if '"type":"pong"' in one])
    after = broadcaster.send(2, channel=news)

    page.wait_for_each_once(news, [*meanwhile, *after])
    assert page.ask("client.connectionId") == connection
    assert page.states() == CONNECTED
    page.check_nothing_is_wrong()


def texts_in(tab: Chrome) -> list[str]:
    """Return what connections have received since the last call."""
    events = events_in(network_log(tab), "webSocketFrameReceived")
    return [one["response"]["payloadData"] for one in events]


def test_hidden_tab_that_lost_its_connection_is_whole_when_it_is_shown(
    tab: Chrome, listen: MakePage, broadcaster: Broadcaster, news: str, wire: Wire
) -> None:
    """The connection carries nothing any more, and nothing tells it: it asks when it is shown."""
    page = listen()

    tab.switch_to.new_window("tab")
    wire.mute()
    meanwhile = broadcaster.send_opened(5, channel=news)
    page.wait_for_ids(news, meanwhile)

    messages = page.wait_for_each_once(news, meanwhile)
    assert {one["replayed"] for one in messages} == {True}
    assert ("waiting", "silent") in page.states()
    page.check_nothing_is_wrong()


def test_frozen_tab_is_whole_when_it_runs_again(
    tab: Chrome, listen: MakePage, broadcaster: Broadcaster, news: str, wire: Wire
) -> None:
    """No timer of it runs, and no handler; its connection is cut meanwhile."""
    page = listen()

    freeze(tab, is_frozen=True)
    frozen_ms = time.time() * 1000
    wire.cut()
    meanwhile = broadcaster.send_opened(5, channel=news)
    thawed_ms = time.time() * 1000
    freeze(tab, is_frozen=False)
    after = broadcaster.send(2, channel=news)

    page.wait_for_each_once(news, [*meanwhile, *after])
    assert not [one for one in page.ask("heard") if frozen_ms < one["at"] < thawed_ms]
    assert page.states()[-1] == ("connected", "joined")
    page.check_nothing_is_wrong()


def test_page_from_the_back_forward_cache_is_whole(
    tab: Chrome, listen: MakePage, broadcaster: Broadcaster, news: str, site: WebSite
) -> None:
    """Its client has closed its connection when the page was left, and connects at once."""
    page = listen()
    before = broadcaster.send(3, channel=news)
    page.wait_for_each_once(news, before)

    tab.get(f"{site.url}/away.html")
    meanwhile = broadcaster.send_opened(5, channel=news)
    tab.back()
    after = broadcaster.send(2, channel=news)

    assert page.ask("shown") == [False, True], "the browser has not kept the page in its cache"
    messages = page.wait_for_each_once(news, [*before, *meanwhile, *after])
    assert set(meanwhile) <= {one["id"] for one in messages if one["replayed"]}
    assert page.states()[2:] == [
        ("waiting", "pagehide"),
        ("connecting", "pageshow"),
        ("connected", "joined"),
    ]
    page.check_nothing_is_wrong()


@pytest.mark.parametrize("storage", ["session", "local"])
def test_reloaded_page_is_given_what_was_sent_meanwhile(
    tab: Chrome, listen: MakePage, broadcaster: Broadcaster, news: str, storage: str
) -> None:
    """Its positions are in the browser's storage; what it had comes no second time."""
    page = listen(storage=storage)
    address = tab.current_url
    before = broadcaster.send(3, channel=news)
    page.wait_for_each_once(news, before)

    tab.get("about:blank")
    meanwhile = broadcaster.send_opened(5, channel=news)
    tab.get(address)
    page.wait_for_ids(news, meanwhile)
    after = broadcaster.send(2, channel=news)

    messages = page.wait_for_each_once(news, [*meanwhile, *after])
    assert [one["replayed"] for one in messages[:5]] == [True] * 5
    page.check_nothing_is_wrong()


def test_tabs_keep_positions_of_their_own_in_session_storage(
    tab: Chrome, listen: MakePage, broadcaster: Broadcaster, news: str
) -> None:
    """A tab that was away is given what it missed, although the other one has it by now."""
    one = listen(storage="session")
    address = tab.current_url
    tab.switch_to.new_window("tab")
    other = listen(storage="session")
    before = broadcaster.send(3, channel=news)
    for page in (other, one):
        page.wait_for_each_once(news, before)

    tab.get("about:blank")
    meanwhile = broadcaster.send_opened(5, channel=news)
    other.wait_for_each_once(news, [*before, *meanwhile])
    other.ask("location.reload()")
    one.ask(f"location.assign({address!r})")
    wait_for(lambda: one.ask("window.heard !== undefined"))

    one.wait_for_each_once(news, meanwhile)
    after = broadcaster.send(1, channel=news)
    one.wait_for_each_once(news, [*meanwhile, *after])
    other.wait_for_each_once(news, after)
