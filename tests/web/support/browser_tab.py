"""What a tab of the browser is told, and what the browser tells of it."""

import json
from typing import Any

from selenium.webdriver import Chrome

Log = list[dict[str, Any]]


def set_offline(driver: Chrome, *, is_offline: bool) -> None:
    """Have the tab that is shown believe that it has no network, or has one again.

    The browser refuses new connections then, and fires `online` and `offline`; connections that are
    there live on, so that a test has to cut or mute them at the wire.
    """
    rates = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    driver.execute_cdp_cmd("Network.enable", {})
    driver.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": is_offline, **rates})


def freeze(driver: Chrome, *, is_frozen: bool) -> None:
    """Have the tab that is shown stop, as browsers do with tabs in the background, or go on."""
    state = "frozen" if is_frozen else "active"
    driver.execute_cdp_cmd("Page.setWebLifecycleState", {"state": state})


def network_log(driver: Chrome) -> Log:
    """Return what the browser says of its network since the last call."""
    entries = driver.get_log("performance")  # type: ignore[no-untyped-call]
    return [json.loads(one["message"])["message"] for one in entries]


def events_in(log: Log, method: str) -> list[dict[str, Any]]:
    """Return the events of one kind, such as `webSocketCreated`, of a log of the network."""
    return [one["params"] for one in log if one["method"] == f"Network.{method}"]


def complaints(driver: Chrome) -> list[str]:
    """Return what the console has been told since the last call, but that a network has failed."""
    entries = driver.get_log("browser")  # type: ignore[no-untyped-call]
    return [one["message"] for one in entries if one["source"] != "network"]
