"""The page as its user sees it: what it shows, and what can be done with it."""

from collections.abc import Callable
from typing import Any

from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import Select, WebDriverWait

_WAIT_SECONDS = 15.0
_LOOK_SECONDS = 0.05
_NO_POSITION = "\u2013"
_NO_CONNECTION = "WebSocket connection to"
"""A browser writes this to the console by itself: no page can prevent it."""

_WATCH_POLICY = """
window.brokenPolicies = [];
addEventListener("securitypolicyviolation",
  (event) => brokenPolicies.push(`${event.violatedDirective} ${event.blockedURI}`));
"""

_TOO_WIDE = """
const width = document.documentElement.clientWidth;
return [...document.body.querySelectorAll("*")]
  .filter((one) => one.getBoundingClientRect().right > width + 0.5)
  .map((one) => one.id || one.className || one.tagName);
"""


class Page:
    """The page in a browser; `browser` is free for what has no method here."""

    def __init__(self, browser: Chrome, url: str) -> None:
        self.browser = browser
        self.url = url

    def open(self) -> None:
        """Open it as if for the first time, and wait until it has started."""
        watch = self.browser.execute_cdp_cmd(
            "Page.addScriptToEvaluateOnNewDocument", {"source": _WATCH_POLICY}
        )
        self.browser.get(self.url)
        self.run("sessionStorage.clear()")
        self._console()
        self.reload()
        self.browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", watch)

    def reload(self) -> None:
        """Open it again in the same tab."""
        self.browser.get("about:blank")
        self.browser.get(self.url)
        self.until(lambda: not self.browser.find_elements(By.ID, "unstarted"))

    def show_as(self, *, width: int = 1280, height: int = 800, scheme: str = "light") -> None:
        """Take another size in CSS pixels, and a colour scheme."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def find(self, name: str) -> WebElement:
        """Return the element with this id."""
        return self.browser.find_element(By.ID, name)

    def find_all(self, selector: str) -> list[WebElement]:
        """Return all elements of a CSS selector."""
        return self.browser.find_elements(By.CSS_SELECTOR, selector)

    def text(self, name: str) -> str:
        """Return what the element with this id says."""
        return self.find(name).text

    def run(self, script: str, *arguments: object) -> Any:
        """Run a script in the page and return what it returns."""
        return self.browser.execute_script(script, *arguments)

    def until(self, is_so: Callable[[], object]) -> None:
        """Wait until something is so. Raises TimeoutException."""
        wait = WebDriverWait(self.browser, _WAIT_SECONDS, _LOOK_SECONDS)
        wait.until(lambda _: is_so())

    def connect(self, url: str, *channels: str) -> None:
        """Subscribe to channels, connect, and wait until each has a position."""
        for channel in channels:
            self.subscribe(channel)
        self.find("url").clear()
        self.find("url").send_keys(url)
        self.find("connection-form").submit()
        self.until(lambda: self.text("state-word") == "Connected")
        self.until(lambda: _NO_POSITION not in self.text("channels"))

    def subscribe(self, channel: str) -> None:
        """Subscribe to a channel by its form."""
        self.find("channel").send_keys(channel)
        self.find("channel-form").submit()

    def choose(self, name: str, text: str) -> None:
        """Choose an option by its text."""
        Select(self.find(name)).select_by_visible_text(text)

    def press(self, text: str) -> None:
        """Press the button that says this."""
        (button,) = [one for one in self.find_all("button") if one.text == text]
        button.click()

    def rows(self, kind: str = "") -> list[str]:
        """Return what the rows of a kind say, newest first; of all kinds without one."""
        script = "return [...document.querySelectorAll(arguments[0])].map((one) => one.innerText)"
        found: list[str] = self.run(script, f"#rows > .row{kind}:not([hidden])")
        return found

    def too_wide(self) -> list[str]:
        """Return which elements reach out of the window at its right, as classes or tags."""
        found: list[str] = self.run(_TOO_WIDE)
        return found

    def troubles(self) -> list[str]:
        """Return what the console has, and which rules of its policy the page broke."""
        logged = [text for text in self._console() if _NO_CONNECTION not in text]
        broken: list[str] = self.run("return brokenPolicies")
        return logged + broken

    def _console(self) -> list[str]:
        """Return what the console has had since it was asked last."""
        entries = self.browser.get_log("browser")  # type: ignore[no-untyped-call]
        return [str(one["message"]) for one in entries]
