"""web/crier.js in a Node process of its own, as generated histories drive it."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tests.support.whole_client import AskToken, Close, Effect, Open, Send, Told

_ROOT: Final = Path(__file__).parents[2]
_DRIVER: Final = _ROOT / "tests" / "web" / "support" / "driver.mjs"


class JavaScriptClient:
    """Drives crier.js by lines of JSON: one process for all histories, a new client for each."""

    nudges: Sequence[str] = ("online", "hidden", "visible", "pagehide", "pageshow")
    has_handlers = True

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin
        assert process.stdout
        self._write, self._flush = process.stdin.write, process.stdin.flush
        self._read = process.stdout.readline
        self.now_ms = 0.0
        self.positions: Mapping[str, Mapping[str, Any]] = {}

    def do(self, command: str, **fields: Any) -> Sequence[Effect]:
        """Have something happen."""
        self._write(json.dumps({"do": command, **fields}).encode() + b"\n")
        self._flush()
        line = self._read()
        assert line, "the driver has ended: its error is above"
        told = json.loads(line)
        self.now_ms = told["nowMs"]
        self.positions = told.get("positions", self.positions)
        return [_shown(one) for one in told["effects"]]


@contextmanager
def javascript_client() -> Iterator[JavaScriptClient]:
    """Start Node with the driver, and end it."""
    node = str(Path(sys.executable).parent / "node")
    with subprocess.Popen(
        [node, str(_DRIVER)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            yield JavaScriptClient(process)
        finally:
            assert process.stdin
            process.stdin.close()


def _shown(effect: Mapping[str, Any]) -> Effect:
    match effect["do"]:
        case "ask":
            return AskToken(effect["ask"], effect["reason"])
        case "open":
            return Open(effect["socket"], effect["token"])
        case "send":
            return Send(effect["socket"], effect["text"])
        case "close":
            return Close(effect["socket"])
        case _:
            return Told(effect["kind"], effect["detail"])
