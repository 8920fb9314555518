"""Names that change their addresses, and a count of the connections that are begun to each."""

import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import pytest

Place = tuple[str, int]
"""A host's address and a port."""


@dataclass
class Names:
    """What `socket.getaddrinfo` says of some names, and which places are connected to.

    A name that has no places cannot be resolved.
    """

    places: dict[str, list[Place]] = field(default_factory=dict)
    look_ups: Counter[str] = field(default_factory=Counter)
    dials: Counter[Place] = field(default_factory=Counter)
    """How many connections were begun, by place."""
    when_dialled: list[Callable[[Place], None]] = field(default_factory=list)

    def patch(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Answer for the names from now on, and count."""
        ask, dial = socket.getaddrinfo, socket.socket.connect_ex

        def getaddrinfo(host: Any, *arguments: Any, **options: Any) -> list[Any]:
            if host not in self.places:
                return ask(host, *arguments, **options)
            self.look_ups[host] += 1
            found = [_answer(place) for place in self.places[host]]
            if not found:
                raise socket.gaierror(socket.EAI_NONAME, f"{host}: Name or service not known")
            return found

        def connect_ex(one: socket.socket, address: Any) -> int:
            self._dialled(address)
            return dial(one, address)

        monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
        monkeypatch.setattr(socket.socket, "connect_ex", connect_ex)

    def _dialled(self, address: Any) -> None:
        if isinstance(address, tuple):
            place = (address[0], address[1])
            self.dials[place] += 1
            for hear in self.when_dialled:
                hear(place)


def place_of(url: str) -> Place:
    """Return where a stand-in's URL leads to."""
    parts = urlsplit(url)
    assert parts.hostname
    assert parts.port
    return parts.hostname, parts.port


def _answer(place: Place) -> tuple[Any, ...]:
    host, port = place
    if ":" in host:
        return socket.AF_INET6, socket.SOCK_STREAM, 6, "", (host, port, 0, 0)
    return socket.AF_INET, socket.SOCK_STREAM, 6, "", (host, port)
