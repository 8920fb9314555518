"""A real Chromium, driven by selenium, with a profile that is new and deleted afterwards."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

from tests.support.server_process import find_server

_PACKAGES = "chromium chromium-driver"
_OPTIONS = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
    *("--no-first-run", "--disable-background-networking", "--disable-component-update"),
)
_LOGS = {"browser": "ALL", "performance": "ALL"}


@contextmanager
def chromium(profile: Path) -> Iterator[Chrome]:
    """Start it with a folder for its profile; end it and its driver, whatever happens.

    Where it is missing the test is skipped, or fails in CI.
    """
    options = ChromeOptions()
    options.binary_location = find_server("chromium", _PACKAGES)
    for one in (*_OPTIONS, f"--user-data-dir={profile}"):
        options.add_argument(one)
    options.set_capability("goog:loggingPrefs", _LOGS)
    driver = Chrome(options, Service(find_server("chromedriver", _PACKAGES)))
    try:
        driver.set_page_load_timeout(20)
        driver.set_script_timeout(20)
        yield driver
    finally:
        driver.quit()


def set_offline(driver: Chrome, *, is_offline: bool) -> None:
    """Have the tab that is shown believe that it has no network, or has one again.

    The browser refuses new connections then, and fires `online` and `offline`; connections that are
    there live on, so that a test has to cut or mute them at the wire.
    """
    rates = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    driver.execute_cdp_cmd("Network.enable", {})
    driver.execute_cdp_cmd("Network.emulateNetworkConditions", {"offline": is_offline, **rates})


def network_events(log: list[dict[str, Any]], method: str) -> list[dict[str, Any]]:
    """Return what the browser says of its network, of one kind of event.

    `log` is of the kind `performance`; asking the browser for it empties it there.
    """
    messages = [json.loads(one["message"])["message"] for one in log]
    return [one["params"] for one in messages if one["method"] == f"Network.{method}"]


def complaints(driver: Chrome) -> list[str]:
    """Return what the console has been told since the last call, but that a network has failed."""
    return [one["message"] for one in driver.get_log("browser") if one["source"] != "network"]
