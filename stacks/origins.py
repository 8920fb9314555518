"""The origins whose pages may connect, where that is restricted. RFC 6454."""

import re
from collections import Counter
from collections.abc import Sequence

EXPECTED = (
    "origins as browsers name them, such as https://app.example or https://app.example:8443: "
    "lower-case letters, no path, no default port; without this setting all pages may connect"
)

MOST_CHARACTERS = 1_024
"""Of all origins together: the variables of a function have 4 KB.

https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

_LABEL = "[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_HOST = rf"({_LABEL}(\.{_LABEL})*|\[[0-9a-f:.]+\])"
_ORIGIN = re.compile(rf"(https?)://{_HOST}(?::(?P<port>[1-9][0-9]{{0,4}}))?")
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_LAST_PORT = 65_535


def trouble_with(origins: Sequence[str]) -> str:
    """Return what is wrong with a list of origins, empty when nothing is."""
    for origin, times in Counter(origins).items():
        if wrong := _wrong(origin):
            return f"names {origin[:200]!r}, which {wrong}"
        if times > 1:
            return f"names {origin} {times} times"
    if (characters := len(",".join(origins))) > MOST_CHARACTERS:
        return f"has {characters:,} characters, more than the {MOST_CHARACTERS:,} there is room for"
    return ""


def _wrong(origin: str) -> str:
    if origin == "null":
        return "is what sandboxed frames and local files have in common"
    if "*" in origin:
        return "has a wildcard: each origin is named"
    found = _ORIGIN.fullmatch(origin)
    if not found:
        return "is no origin"
    port = found["port"]
    if port == _DEFAULT_PORTS[found[1]]:
        return "has a port that browsers leave out"
    return "has no port of TCP" if port and int(port) > _LAST_PORT else ""
