"""A page in a real browser loses its network, or its server, and is given all that it missed."""

import pytest
from selenium.webdriver import Chrome

from crier.local.local_aws import LocalAws
from testbed.wire_faults import FaultFile, WireFault
from tests.support.waiting import wait_for
from tests.web.local.conftest import MakePage
from tests.web.support.broadcaster import Broadcaster
from tests.web.support.browser_tab import set_offline
from tests.web.support.listening_page import ListeningPage
from tests.web.support.wire import Wire

pytestmark = pytest.mark.timeout(240)
LONG_PAUSE_MS = 5_000


def check_all_came(
    page: ListeningPage, channel: str, *, before: list[str], meanwhile: list[str], after: list[str]
) -> None:
    """Check that all came once, and those sent in the outage as replayed."""
    messages = page.wait_for_each_once(channel, [*before, *meanwhile, *after])
    replayed = {one["id"] for one in messages if one["replayed"]}
    assert set(meanwhile) <= replayed
    assert not replayed & set(before)
    recovered = [one["count"] for one in page.heard("recovered") if one["channel"] == channel]
    assert sum(recovered) == len(replayed)
    page.check_nothing_is_wrong(but="token")  # offline there is none to fetch


def test_page_misses_nothing_when_its_network_is_pulled(
    tab: Chrome, listen: MakePage, broadcaster: Broadcaster, news: str, wire: Wire
) -> None:
    """Nothing tells it that its connection is dead: it asks when the browser is online again."""
    page = listen()
    before = broadcaster.send(3, channel=news)
    page.wait_for_each_once(news, before)

    wire.mute()
    set_offline(tab, is_offline=True)
    meanwhile = broadcaster.send_opened(5, channel=news)
    was_offline = not page.ask("navigator.onLine")
    set_offline(tab, is_offline=False)
    page.wait_for_ids(news, meanwhile)
    after = broadcaster.send(2, channel=news)

    assert was_offline
    check_all_came(page, news, before=before, meanwhile=meanwhile, after=after)
    assert page.states()[2] == ("waiting", "silent")


def test_page_is_back_at_once_when_the_browser_is_online_again(
    tab: Chrome, listen: MakePage, broadcaster: Broadcaster, news: str, wire: Wire
) -> None:
    """Its tries fail while it is offline, and the next one does not wait for its time."""
    page = listen(minDelayMs=8_000)
    before = broadcaster.send(3, channel=news)
    page.wait_for_each_once(news, before)

    set_offline(tab, is_offline=True)
    wire.cut()
    meanwhile = broadcaster.send_opened(5, channel=news)
    wait_for(lambda: page.pause_left_ms() > LONG_PAUSE_MS)
    set_offline(tab, is_offline=False)
    page.wait_for_ids(news, meanwhile)
    after = broadcaster.send(2, channel=news)

    check_all_came(page, news, before=before, meanwhile=meanwhile, after=after)
    assert ("waiting", "cut") in page.states()
    assert page.states()[-2:] == [("connecting", "online"), ("connected", "joined")]


def test_page_misses_nothing_when_its_server_is_killed_and_is_back(
    listen: MakePage, broadcaster: Broadcaster, news: str, wire: Wire
) -> None:
    """Connections are reset and refused for a while; the page tries until one is taken."""
    page = listen()
    before = broadcaster.send(3, channel=news)
    page.wait_for_each_once(news, before)

    wire.close()
    meanwhile = broadcaster.send_opened(5, channel=news)
    wait_for(lambda: ("waiting", "refused") in page.states())
    wire.open()
    page.wait_for_ids(news, meanwhile)
    after = broadcaster.send(2, channel=news)

    check_all_came(page, news, before=before, meanwhile=meanwhile, after=after)
    assert page.states()[-1] == ("connected", "joined")


def test_page_misses_nothing_when_a_function_is_killed_that_was_to_answer(
    listen: MakePage, broadcaster: Broadcaster, news: str, wire: Wire, local_aws: LocalAws
) -> None:
    """The request has no answer, and is sent again after ten seconds, on the same connection."""
    page = listen()
    before = broadcaster.send(3, channel=news)
    page.wait_for_each_once(news, before)
    faults = FaultFile(local_aws.startup_folder)
    kill = WireFault(operation="BatchGetItem", kind="kill_before", times=1, function="ClientFrame")

    faults.set(kill)
    wire.cut()
    meanwhile = broadcaster.send_opened(5, channel=news)
    page.wait_for_ids(news, meanwhile)
    after = broadcaster.send(2, channel=news)

    faults.set()
    assert faults.happened() == {"kill_before": 1}
    page.wait_for_each_once(news, [*before, *meanwhile, *after])
    assert page.states()[-1] == ("connected", "joined")
    # AWS sends a JSON object without a type there, and the local AWS a text that is no JSON.
    page.check_nothing_is_wrong(but="bad-text")
