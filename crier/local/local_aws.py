"""The local AWS: a child process on a loopback port, which leaves nothing when it is closed."""

import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from crier.errors import CrierError
from crier.local.environment import HOST, clean_environment
from crier.local.interrupts import interrupts
from crier.local.process_group import end_group
from crier.local.run_folder import RunFolder, end_killed_runs
from crier.paths import PYTHON

REGION = "us-east-1"
ACCOUNT = "000000000000"
ACCESS_KEY_ID = SECRET_ACCESS_KEY = "test"  # noqa: S105 - the local AWS takes these; no secret
_START_SECONDS = 30.0
_STARTUP = Path(__file__).parent / "lambda_startup"


@dataclass(frozen=True, slots=True)
class LocalEndpoint:
    """Where a local AWS listens."""

    url: str

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables with which a process uses the local AWS and never a real one."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    @property
    def is_up(self) -> bool:
        """Whether something listens there."""
        with suppress(OSError, ValueError):
            parts = urlsplit(self.url)
            socket.create_connection((parts.hostname or "", parts.port or 0), timeout=2).close()
            return True
        return False


class LocalAws:
    """A running local AWS. A context manager: leaving it ends the process and all it started.

    `port` 0 takes a free one. `logs` is the folder where the functions' output is kept, one
    file per function. `startup` is a Python file whose `start` each process of a function calls
    before it loads the handler; it finds the folder `startup_folder` in the environment.
    Raises CrierError when the port is taken or the start fails.
    """

    def __init__(self, port: int = 0, *, startup: Path | None = None) -> None:
        self.port = port or _free_port()
        self.endpoint = LocalEndpoint(f"http://{HOST}:{self.port}")
        self.run = RunFolder()
        self.logs = self.folder / "logs"
        self.startup_folder = self.folder / "startup"
        self._startup = startup
        self._output = self.folder / "local-aws.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        """Start the local AWS and wait until it answers."""
        try:
            self._start()
            self._wait_until_ready()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End it, whatever happened."""
        self.close()

    @property
    def folder(self) -> Path:
        """A folder for this run, deleted when it ends."""
        return self.run.path

    @property
    def is_running(self) -> bool:
        """Whether the process has not ended."""
        return self._process is not None and self._process.poll() is None

    def close(self) -> None:
        """End the process and those that it started, and delete what they wrote."""
        if self._process is not None:
            end_group(self._process)
            self._process = None
        self.run.remove()

    def _start(self) -> None:
        end_killed_runs()
        self._refuse_taken_port()
        self.logs.mkdir()
        self.startup_folder.mkdir()
        with self._output.open("wb") as output:
            self._process = self.run.start(  # in a group of its own, so that Ctrl-C reaches only us
                [PYTHON, "-m", "ministack"],
                cwd=self.folder,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def _environment(self) -> dict[str, str]:
        return {
            **clean_environment(),
            "BIND_HOST": HOST,
            "MINISTACK_HOST": HOST,
            "GATEWAY_PORT": str(self.port),
            "LOG_LEVEL": "WARNING",
            "PYTHONPATH": str(_STARTUP),
            "CRIER_LOCAL_LOGS": str(self.logs),
            "TMPDIR": str(self.folder),
            "CRIER_LOCAL_STARTUP": str(self._startup or ""),
            "CRIER_LOCAL_STARTUP_FOLDER": str(self.startup_folder),
        }

    def _refuse_taken_port(self) -> None:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, self.port))
            except OSError as error:
                raise CrierError(
                    f"port {self.port} of {HOST} cannot be used ({error.strerror}): choose "
                    "another with --port, or leave --port out to take a free one"
                ) from error

    def _wait_until_ready(self) -> None:
        give_up = time.monotonic() + _START_SECONDS
        while time.monotonic() < give_up:
            if self._process is not None and self._process.poll() is not None:
                raise CrierError(f"the local AWS ended at its start:\n{self._last_output()}")
            with interrupts.waiting():
                if self._is_ready():
                    return
                time.sleep(0.1)
        raise CrierError(
            f"the local AWS did not answer within {_START_SECONDS:.0f} s:\n{self._last_output()}"
        )

    def _is_ready(self) -> bool:
        ready = f"{self.endpoint.url}/_ministack/ready"
        with suppress(OSError, urllib.error.URLError):
            urllib.request.urlopen(ready, timeout=2).close()  # noqa: S310 - our own http URL
            return True
        return False

    def _last_output(self) -> str:
        return "\n".join(self._output.read_text(errors="replace").splitlines()[-15:])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
