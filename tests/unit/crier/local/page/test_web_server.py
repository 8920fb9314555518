"""What the page's server says on the screen of the local run."""

from contextlib import suppress
from http.client import RemoteDisconnected
from urllib.request import urlopen

import pytest

from crier.local.page.answers import Answer, Asked
from crier.local.page.web_server import served


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectionResetError(), ""),
        (BrokenPipeError(), ""),
        (ZeroDivisionError("a fault"), "ZeroDivisionError: a fault"),
    ],
    ids=repr,
)
def test_browser_that_goes_away_is_no_error(
    capsys: pytest.CaptureFixture[str], error: Exception, said: str
) -> None:
    """It does so whenever a page is loaded again; a fault of ours is shown."""

    def fail(_asked: Asked, _port: int) -> Answer:
        raise error

    with served(fail, port=0) as url, suppress(RemoteDisconnected):
        urlopen(url, timeout=10).close()  # noqa: S310 - our own

    shown = capsys.readouterr().err
    assert bool(shown) == bool(said)
    assert said in shown
