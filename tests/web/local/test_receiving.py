"""A page with crier.js in a real browser receives: what was sent, once, in each tab, as data."""

import pytest
from selenium.webdriver import Chrome

from tests.web.local.conftest import MakePage
from tests.web.support.broadcaster import Broadcaster
from tests.web.support.browser_tab import complaints
from tests.web.support.hostile_texts import HOSTILE, LARGEST

pytestmark = pytest.mark.timeout(240)


def test_page_receives_each_broadcast_once_and_in_order(
    tab: Chrome, listen: MakePage, broadcaster: Broadcaster, news: str
) -> None:
    """Those to its channel, to everyone and to its user; to others nothing comes."""
    page = listen(channels=[news, "@"])

    broadcaster.send(1, channel=f"{news}-other")
    broadcaster.send(1, user="bob")
    sent = {
        news: broadcaster.send(10, channel=news),
        "*": broadcaster.send(5),
        "@": broadcaster.send(5, user="alice"),
    }

    for channel, ids in sent.items():
        messages = page.wait_for_each_once(channel, ids)
        assert {one["replayed"] for one in messages} == {False}
    assert {one["channel"] for one in page.heard("message")} == set(sent)
    assert page.states() == [("connecting", "connect"), ("connected", "joined")]
    page.check_nothing_is_wrong()
    assert complaints(tab) == []


def test_two_tabs_receive_all_each_for_itself(
    tab: Chrome, listen: MakePage, broadcaster: Broadcaster, news: str
) -> None:
    """Two clients with the same storage, `localStorage`, disturb each other in nothing."""
    one = listen(storage="local")
    tab.switch_to.new_window("tab")
    other = listen(storage="local")

    sent = broadcaster.send(10, channel=news)

    for page in (one, other, one):
        page.wait_for_each_once(news, sent)
        page.check_nothing_is_wrong()
    assert one.ask("client.connectionId") != other.ask("client.connectionId")


@pytest.mark.parametrize("text", [*HOSTILE, LARGEST], ids=["img", "script", "code", "bidi", "long"])
def test_hostile_message_stays_text(
    tab: Chrome, listen: MakePage, broadcaster: Broadcaster, news: str, text: str
) -> None:
    """It arrives as it was sent, and a page that shows it by `textContent` has no new element."""
    page = listen()

    broadcaster.send_as(f"{news}-hostile", text, channel=news)
    broadcaster.send_as(f"{news}-last", "last", channel=news)

    page.wait_for_ids(news, [f"{news}-hostile", f"{news}-last"])
    assert {one["message"] for one in page.messages(news)} == {text, "last"}
    shown = page.ask("[...document.querySelectorAll('#messages li')].map(one => one.textContent)")
    assert set(shown) == {text, "last"}
    assert page.ask("document.querySelectorAll('#messages *:not(li)').length") == 0
    assert page.ask("document.title") == "A page that listens"
    page.check_nothing_is_wrong()
    assert complaints(tab) == []
