"""Where the page of a local run is: a value that needs no library."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LocalPage:
    """Where the page is, and where clients connect through the proxy."""

    url: str
    web_socket_url: str
