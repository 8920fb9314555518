"""The page tests/web/local/pages/listening.html in a tab, and what its client has heard so far."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from selenium.webdriver import Chrome

from tests.support.waiting import wait_for


@dataclass(frozen=True, slots=True)
class ListeningPage:
    """The page in one tab. Each question shows the tab first, as its user would."""

    driver: Chrome
    tab: str

    def ask(self, expression: str) -> Any:
        """Return the value of an expression of JavaScript in the page."""
        if self.driver.current_window_handle != self.tab:
            self.driver.switch_to.window(self.tab)
        return self.driver.execute_script(f"return {expression}")

    def heard(self, kind: str) -> list[dict[str, Any]]:
        """Return the details of events of a type, in their order."""
        return [one["detail"] for one in self.ask("heard") if one["type"] == kind]

    def messages(self, channel: str) -> list[dict[str, Any]]:
        """Return the messages of a channel."""
        return [one for one in self.heard("message") if one["channel"] == channel]

    def states(self) -> list[tuple[str, str]]:
        """Return the states that it was in so far, with the reasons."""
        return [(one["to"], one["reason"]) for one in self.heard("state")]

    def wait_for_state(self, state: str, reason: str | None = None) -> None:
        """Wait until it is in a state, and was brought there by a reason."""

        def is_there() -> bool:
            to, why = (self.states() or [("", "")])[-1]
            return to == state and reason in (None, why)

        wait_for(is_there)

    def pause_left_ms(self) -> float:
        """Return how long it still waits before it tries again; 0 when it does not wait."""
        last = self.ask("{last: heard.findLast(({type}) => type === 'state'), now: Date.now()}")
        return float(last["last"]["at"] + last["last"]["detail"].get("retryInMs", 0) - last["now"])

    def wait_until_ready(self, channels: int) -> None:
        """Wait until it knows where it is in a number of channels, `*` included."""
        wait_for(lambda: self.ask("Object.keys(client.positions).length") == channels)

    def wait_for_ids(self, channel: str, ids: Sequence[str]) -> None:
        """Wait until broadcasts of a channel have come."""
        wait_for(lambda: set(ids) <= {one["id"] for one in self.messages(channel)})

    def wait_for_each_once(self, channel: str, ids: Sequence[str]) -> list[dict[str, Any]]:
        """Wait for broadcasts of a channel; check that each came once, in order, and no other.

        Returns the messages.
        """
        self.wait_for_ids(channel, ids)
        messages = self.messages(channel)
        numbers = [one["seq"] for one in messages]
        assert sorted(one["id"] for one in messages) == sorted(ids)
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
        assert [one["message"] for one in messages] == [{"of": one["id"]} for one in messages]
        return messages

    def check_nothing_is_wrong(self, *, but: str = "") -> None:
        """Check that nothing was lost, that no error was told, and none was made by the page.

        `but` is the code of an error that may have been told.
        """
        errors = [one for one in self.heard("error") if one["code"] != but]
        found = [self.heard("gap"), errors, self.ask("wrong")]
        assert found == [[], [], []], found


def open_page(driver: Chrome, site_url: str, **options: Any) -> ListeningPage:
    """Open the page in the tab that is shown, with options for its client."""
    said = quote(json.dumps(options))
    driver.get(f"{site_url}/listening.html?options={said}")
    page = ListeningPage(driver, driver.current_window_handle)
    wait_for(lambda: page.ask("window.heard !== undefined"))
    return page
