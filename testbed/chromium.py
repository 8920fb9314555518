"""A headless Chromium of its own, with an empty profile; it ends with the block that opened it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Final

from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service

BROWSER: Final = "chromium"
DRIVER: Final = "chromedriver"
PACKAGES: Final = "chromium chromium-driver"
"""Debian's names for both."""


def is_there() -> bool:
    """Tell whether both programs are on the path."""
    return all(shutil.which(program) for program in (BROWSER, DRIVER))


@contextmanager
def open_chromium() -> Iterator[Chrome]:
    """Start a browser that logs its console and network; both programs have to be on the path."""
    with TemporaryDirectory(prefix="crier-chromium-", ignore_cleanup_errors=True) as profile:
        options = ChromeOptions()
        options.binary_location = shutil.which(BROWSER) or BROWSER
        for argument in (
            "--headless=new",
            "--no-sandbox",  # in a container there is none, and only our own page is opened
            "--disable-gpu",
            "--disable-dev-shm-usage",  # a container may have little shared memory
            f"--user-data-dir={profile}",
        ):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        browser = Chrome(options=options, service=Service(shutil.which(DRIVER) or DRIVER))
        try:
            yield browser
        finally:
            browser.quit()
