"""Which requests are those of the page itself, and not of another page in the same browser.

Any page may have a browser send requests to a loopback port, and a name of its own may lead there
(DNS rebinding: https://en.wikipedia.org/wiki/DNS_rebinding). So the Host says that our own name was
asked for, and the Origin of what changes something that our own page has asked. An answer to a
foreign page's GET cannot be read by it, as no header allows it (CORS).
"""

from collections.abc import Mapping
from typing import Final

from crier.local.environment import HOST

_USUAL_PORT: Final = 80
"""The one that browsers leave out."""


def own_hosts(port: int) -> frozenset[str]:
    """Return what the header Host may be of a server on a loopback port."""
    end = "" if port == _USUAL_PORT else f":{port}"
    return frozenset(f"{name}{end}" for name in (HOST, "localhost"))


def is_own_host(host: str | None, port: int) -> bool:
    """Tell whether a request asks for this server by a loopback name."""
    return host is not None and host.lower() in own_hosts(port)


def is_own_origin(origin: str | None, port: int) -> bool:
    """Tell whether it is a page of this server that a request comes from."""
    return origin is not None and origin.lower() in {f"http://{one}" for one in own_hosts(port)}


def is_foreign(headers: Mapping[str, str], port: int) -> bool:
    """Tell whether a request says that a page of another server made it.

    `headers` has names in lower case. A program that is no browser sends none of these.
    """
    origin, site = headers.get("origin"), headers.get("sec-fetch-site", "none")
    is_ours = origin is None or is_own_origin(origin, port)
    return not is_ours or site not in ("same-origin", "none")
