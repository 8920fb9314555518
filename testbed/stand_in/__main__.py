"""The stand-in as a process: `python -m testbed.stand_in '<Behaviour as JSON>'`.

Prints one line of JSON once it listens: `url`, `ca` (a path, or null) and `pid`. Then it obeys
lines of JSON on standard input, each answered with one line, and ends when the input does:
`{"do": "behave", "behaviour": {…}}` and `{"do": "report"}`.

Programs call it, not people: so `argparse` is enough, which starts faster than Typer.
"""

import argparse
import gc
import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from testbed.stand_in.behaviour import Behaviour
from testbed.stand_in.certificate import issue_certificate
from testbed.stand_in.greeting import PROTOCOLS, checked_protocols
from testbed.stand_in.server import StandIn

_WRONG_USE = 2
_GC_THRESHOLD = 100_000
"""Posts make no cycles: collecting them every 700 objects would only cost time."""


def main(arguments: list[str] | None = None) -> int:
    """Run until standard input ends; returns the exit status."""
    options = _options(arguments)
    try:
        behaviour = Behaviour.from_json(options.behaviour)
    except ValueError as error:
        sys.stderr.write(f"stand-in: wrong behaviour: {error}\n")
        return _WRONG_USE
    try:
        _pin(options.cpu)
    except OSError as error:
        sys.stderr.write(f"stand-in: wrong --cpu {options.cpu}: {error}; see `nproc`\n")
        return _WRONG_USE
    gc.set_threshold(_GC_THRESHOLD)
    with TemporaryDirectory(prefix="stand-in-") as folder:
        tls = None if options.no_tls else issue_certificate(Path(folder))
        stand_in = StandIn.of(behaviour, tls=tls, protocols=options.protocols)
        with stand_in, suppress(KeyboardInterrupt):
            ca = None if tls is None else str(tls.ca_path)
            _say({"url": stand_in.url, "ca": ca, "pid": os.getpid()})
            for line in sys.stdin:
                _say(_obey(stand_in, line))
    return 0


def _protocols(text: str) -> tuple[str, ...]:
    try:
        return checked_protocols(text.split(","))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _pin(cpu: int | None) -> None:
    if cpu is not None and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {cpu})


def _obey(stand_in: StandIn, line: str) -> dict[str, Any]:
    try:
        command = json.loads(line)
        match command:
            case {"do": "report"}:
                return stand_in.report().facts()
            case {"do": "behave", "behaviour": dict(facts)}:
                stand_in.behave(Behaviour.from_facts(facts))
                return {"ok": True}
    except ValueError as error:
        return {"ok": False, "error": str(error)}
    return {"ok": False, "error": f"expected do: behave or do: report, not {line.strip()[:80]}"}


def _say(facts: dict[str, Any]) -> None:
    sys.stdout.write(f"{json.dumps(facts)}\n")
    sys.stdout.flush()


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m testbed.stand_in", description=__doc__)
    parser.add_argument("behaviour", nargs="?", default="{}", help="JSON; {} for the usual one")
    parser.add_argument("--no-tls", action="store_true", help="serve http instead of https")
    parser.add_argument(
        "--protocols",
        type=_protocols,
        default=PROTOCOLS,
        help="what to speak over TLS, the preferred one first: h2,http/1.1",
    )
    parser.add_argument("--cpu", type=int, help="the core to run on, where the system allows")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
