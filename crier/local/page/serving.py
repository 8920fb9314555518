"""Starts the proxy and the page's server for a local run, and ends both with it."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from crier.deployed.deployment import Deployment
from crier.local.page.proxy import Proxy
from crier.local.page.proxy_thread import ProxyThread
from crier.local.page.site import Site
from crier.local.page.tokens import token_maker
from crier.local.page.web_server import served
from crier.paths import ROOT

WEB = ROOT / "web"
"""The folder with the page's files."""


@dataclass(frozen=True, slots=True)
class LocalPage:
    """Where the page is, and where clients connect through the proxy."""

    url: str
    web_socket_url: str


@contextmanager
def served_page(
    deployment: Deployment,
    *,
    port: int = 0,
    folder: Path = WEB,
    secret: str | None = None,
    cut_after_seconds: int | None = None,
    channels: Sequence[str] = (),
    sign: Callable[[str], str] | None = None,
) -> Iterator[LocalPage]:
    """Serve the page of a local run until the block ends. Raises CrierError.

    `port` is the page's, 0 takes a free one; `secret` is what the run signs tokens with; `channels`
    are those that something is sent to; `sign` signs a URL, where the local AWS wants it signed.
    """
    proxy = Proxy(deployment.web_socket_url, cut_after_seconds=cut_after_seconds)
    with ProxyThread(proxy) as running:
        site = Site(
            folder=folder,
            url_for_clients=lambda: sign(running.url) if sign else running.url,
            auth=deployment.auth,
            obey=running.obey,
            make_token=token_maker(deployment, secret),
            cut_after_seconds=cut_after_seconds,
            channels=channels,
        )
        with served(site.answer, port=port) as url:
            yield LocalPage(url, running.url)
