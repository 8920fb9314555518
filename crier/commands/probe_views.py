"""Shows what `crier probe` has found."""

from collections.abc import Mapping
from typing import Final

from crier import terminal
from crier.commands.probe_result import Limits, Milliseconds, Probed

PROTOCOLS: Final[Mapping[str, str]] = {"h2": "HTTP/2", "http/1.1": "HTTP/1.1"}
"""The protocols by their names in ALPN."""


def show_probed(probed: Probed) -> None:
    """Show the connection, the server's limits, the times, and the answer."""
    terminal.show_table(
        {
            "URL": probed.url,
            "Address": probed.address,
            "Protocol": _protocol(probed),
            "TLS": f"{probed.tls.version}, {probed.tls.cipher}" if probed.tls else "none",
            **(_limits(probed.limits) if probed.limits else {}),
            "Time": _time(probed.milliseconds),
            "Answer": f"{probed.status} {probed.text}".strip(),
            "It means": probed.meaning.means,
            "To do": probed.meaning.to_do,
        }
    )


def _protocol(probed: Probed) -> str:
    name = PROTOCOLS[probed.protocol]
    if probed.tls is None:
        return f"{name}, in cleartext: HTTP/2 is offered in TLS only"
    if probed.limits is None:
        return f"{name}: the server does not speak HTTP/2"
    return name


def _limits(limits: Limits) -> Mapping[str, str]:
    return {
        "Streams at once": _told(limits.streams),
        "Window": _told(limits.window_bytes, "bytes of each request"),
        "Frame size": _told(limits.frame_bytes, "bytes"),
        "Header table": _told(limits.header_table_bytes, "bytes"),
    }


def _told(number: int | None, unit: str = "") -> str:
    return "not told" if number is None else f"{number:,} {unit}".strip()


def _time(took: Milliseconds) -> str:
    steps = {"address": took.resolve, "TCP": took.tcp, "TLS": took.tls, "answer": took.answer}
    return ", ".join(
        f"{name} {milliseconds:.1f} ms"
        for name, milliseconds in steps.items()
        if milliseconds is not None
    )
