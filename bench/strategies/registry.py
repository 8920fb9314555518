"""The strategies by name: how each is started, and what must be installed for it."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.errors import BenchError
from bench.paths import BEFORE, ROOT, shown

Protocol = Literal["h2", "http/1.1"]
"""By the names of ALPN."""

NODE = Path(sys.executable).parent / "node"
_PEERS = ROOT / "bench" / "peers"
_PACKAGES = _PEERS / "node_modules" / ".package-lock.json"
_AIOBOTOCORE = ROOT / ".venv-aiobotocore" / "bin" / "python"


@dataclass(frozen=True, slots=True)
class Strategy:
    """A program that takes a job as its last argument and prints a measurement."""

    name: str
    command: tuple[str, ...]
    needs: tuple[Path, ...] = ()
    protocol: Protocol = "http/1.1"
    """What its posts must have been spoken in."""
    root: Path = ROOT
    """The tree that its modules come from."""


def _python(name: str, module: str, interpreter: Path = Path(sys.executable)) -> Strategy:
    program = ROOT / "bench" / "strategies" / f"{module}.py"
    command = (str(interpreter), "-m", f"bench.strategies.{module}")
    return Strategy(name, command, (interpreter, program))


def _crier(name: str, protocol: Protocol) -> Strategy:
    command = (sys.executable, "-m", "bench.strategies.crier", protocol)
    return Strategy(name, command, protocol=protocol)


def _before(name: str) -> Strategy:
    """Return the release before, by its own program: it knew HTTP/1.1 only."""
    command = (sys.executable, "-m", "bench.strategies.crier")
    return Strategy(name, command, (BEFORE / "lambdas",), root=BEFORE)


def _node(name: str, library: str, way: str, protocol: Protocol = "http/1.1") -> Strategy:
    command = (str(NODE), str(_PEERS / f"{library}.mjs"), way)
    return Strategy(name, command, (NODE, _PACKAGES), protocol)


STRATEGIES = {
    strategy.name: strategy
    for strategy in (
        _python("boto3-sequential", "boto3_sequential"),
        _python("boto3-threads", "boto3_threads"),
        _python("aiobotocore-gather", "aiobotocore_gather", _AIOBOTOCORE),
        _node("node-v2-sequential", "v2", "sequential"),
        _node("node-v2-all-settled", "v2", "allSettled"),
        _node("node-v3-sequential", "v3", "sequential"),
        _node("node-v3-all-settled", "v3", "allSettled"),
        _node("node-v3-http2-all-settled", "v3-http2", "allSettled", "h2"),
        _crier("crier", "h2"),
        _crier("crier-http1", "http/1.1"),
        _before("crier-before"),
    )
}


def require(names: Iterable[str]) -> None:
    """Raise BenchError when something that these strategies need is not installed."""
    for name in sorted(set(names)):
        for path in STRATEGIES[name].needs:
            if not path.exists():
                raise BenchError(
                    f"{name} needs {shown(path)}, which is not there; run `make bench-setup`"
                )
