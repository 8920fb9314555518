"""The stand-in as a child process, on a core of its own where the system allows."""

import json
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from testbed.stand_in.behaviour import Behaviour
from testbed.stand_in.greeting import PROTOCOLS, checked_protocols
from testbed.stand_in.report import Report

_ROOT = Path(__file__).parents[2]
_EXIT_SECONDS = 5.0


class StandInError(Exception):
    """The stand-in's process has ended, or refused a command."""


class StandInProcess:
    """Starts the stand-in on entering; on leaving it has ended, whatever has happened."""

    def __init__(
        self,
        behaviour: Behaviour | None = None,
        *,
        tls: bool = True,
        cpu: int | None = None,
        protocols: Sequence[str] = PROTOCOLS,
    ) -> None:
        self._behaviour = behaviour or Behaviour()
        self._options = [] if tls else ["--no-tls"]
        self._options += ["--protocols", ",".join(checked_protocols(protocols))]
        if cpu is not None:
            self._options += ["--cpu", str(cpu)]
        self.url = ""
        self.ca_path: Path | None = None
        self.pid = 0

    def behave(self, behaviour: Behaviour) -> None:
        """Set the behaviour; the counts begin anew."""
        self._ask({"do": "behave", "behaviour": asdict(behaviour)})

    def report(self) -> Report:
        """Return the counts since the behaviour was set."""
        return Report.from_facts(self._ask({"do": "report"}))

    def __enter__(self) -> Self:
        self._child = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "testbed.stand_in",
                self._behaviour.to_json(),
                *self._options,
            ],
            cwd=_ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for us: we end it
        )
        try:
            facts = self._hear()
        except BaseException:
            self._end()
            raise
        self.url, self.pid = facts["url"], facts["pid"]
        self.ca_path = Path(facts["ca"]) if facts["ca"] else None
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _ask(self, command: dict[str, Any]) -> dict[str, Any]:
        assert self._child.stdin is not None
        try:
            print(json.dumps(command), file=self._child.stdin, flush=True)
        except BrokenPipeError as error:
            raise StandInError("the stand-in has ended; its last words are above") from error
        return self._hear()

    def _hear(self) -> dict[str, Any]:
        assert self._child.stdout is not None
        line = self._child.stdout.readline()
        if not line:
            raise StandInError("the stand-in has ended; its last words are above")
        facts: dict[str, Any] = json.loads(line)
        if "error" in facts:
            raise StandInError(f"the stand-in refused: {facts['error']}")
        return facts

    def _end(self) -> None:
        """Let the child end by closing its input, or kill it."""
        with self._child as child:
            assert child.stdin is not None
            with suppress(BrokenPipeError):  # it has ended already
                child.stdin.close()
            try:
                child.wait(_EXIT_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
