"""Takes the picture of the page that the README shows: a local run, and a connection that broke."""

import base64
import time
from collections.abc import Callable
from io import BytesIO
from typing import Any, Final

from PIL import Image  # comes with matplotlib, which draws the plots
from selenium.webdriver import Chrome

from bench import terminal
from bench.errors import BenchError
from bench.paths import PLOTS, shown
from crier.demo.town import CHANNELS, Town
from crier.local.deploy import deploy_locally
from crier.local.local_aws import LocalAws
from crier.local.page.serving import served_page
from testbed.chromium import is_there, open_chromium

PICTURE: Final = PLOTS / "page.png"
_WIDTH, _HEIGHT = 1280, 960

_COLORS = 256
"""Text on plain grounds has hardly more, and is a third as large so."""

_BEFORE_SECONDS = 14.0
_AFTER_SECONDS = 5.5
_CONNECT_SECONDS = 60.0
_TURN_SECONDS = 0.1
_BREAK = """
const ask = (what) => fetch("control", {
  method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(what),
});
return ask({ do: "refuse", seconds: 4 }).then(() => ask({ do: "cut" })).then(() => true);
"""
"""As the page's buttons do it, but for a time in which fewer frames are missed."""

Check = Callable[[], bool]


def page_picture() -> bool:
    """Show broadcasts, break the connection, and take the picture when the page has all again."""
    if not is_there():
        raise BenchError("chromium or chromedriver is not there: install both")
    with LocalAws() as aws:
        deployment = deploy_locally(aws, terminal.note)
        town = Town(deployment, every_seconds=1)
        with served_page(deployment, channels=CHANNELS) as page, open_chromium() as browser:
            _set_up(browser)
            browser.get(page.url)
            _tell(town, lambda: _says(browser, "Connected"))
            _tell(town, _after(_BEFORE_SECONDS))
            browser.execute_script(_BREAK)
            _tell(town, lambda: _says(browser, "Waiting"))
            _tell(town, lambda: _says(browser, "Connected"))
            _tell(town, _after(_AFTER_SECONDS))
            _save_picture(browser)
    terminal.note(f"{shown(PICTURE)} has {PICTURE.stat().st_size // 1024} KiB")
    return True


def _set_up(browser: Chrome) -> None:
    """Give the window its size, and light colours."""
    size = {"width": _WIDTH, "height": _HEIGHT, "deviceScaleFactor": 1, "mobile": False}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    features = [{"name": "prefers-color-scheme", "value": "light"}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def _tell(town: Town, is_done: Check) -> None:
    """Broadcast until something is so. Raises BenchError when that takes too long."""
    is_late = _after(_CONNECT_SECONDS)
    while not is_done():
        if is_late():
            raise BenchError("the page did not connect: open it by `make demo-page` to see why")
        town.tell(time.monotonic())
        time.sleep(_TURN_SECONDS)


def _after(seconds: float) -> Check:
    end = time.monotonic() + seconds
    return lambda: time.monotonic() >= end


def _says(browser: Chrome, state: str) -> bool:
    said: str = browser.execute_script("return document.getElementById('state-word').textContent")
    return said == state


def _save_picture(browser: Chrome) -> None:
    taken: dict[str, Any] = browser.execute_cdp_cmd("Page.captureScreenshot", {})
    picture = Image.open(BytesIO(base64.b64decode(taken["data"]))).convert("RGB")
    picture.quantize(_COLORS, dither=Image.Dither.NONE).save(PICTURE, optimize=True)
