"""A file that says where the local AWS runs: by it `crier send` finds the local run."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager

from crier.errors import CrierError
from crier.files import make_place_for
from crier.installed import is_checkout
from crier.local.local_aws import LocalEndpoint
from crier.paths import BUILD

_FILE = BUILD / "local.json"


@contextmanager
def announced(endpoint: LocalEndpoint) -> Iterator[None]:
    """Let other commands find a local run until the block ends.

    Raises CrierError when another local run is there already.
    """
    refuse_second_run()
    _FILE.write_text(json.dumps({"url": endpoint.url, "pid": os.getpid()}) + "\n")
    try:
        yield
    finally:
        if _announced()[1] == os.getpid():
            _FILE.unlink(missing_ok=True)


def refuse_second_run() -> None:
    """Raise CrierError when a local run is there: `crier send` would find only one of two.

    Raises CrierError, too, when the file that announces a run cannot be written.
    """
    make_place_for(_FILE)
    if endpoint := _running():
        raise CrierError(
            f"a local run is there already, at {endpoint.url}: use it, or end it with Ctrl-C "
            f"(process {_announced()[1]})"
        )


def running_endpoint() -> LocalEndpoint:
    """Return the running local AWS. Raises CrierError when there is none."""
    endpoint = _running()
    if endpoint is None:
        start = "start one with `crier local` and wait for its URLs, or " if is_checkout() else ""
        raise CrierError(f"no local run is there: {start}name a deployed stack with --stack")
    return endpoint


def _running() -> LocalEndpoint | None:
    """Return the run that is announced, or None if it has ended.

    Another process may have its process id by now, so its port must answer as well.
    """
    url, pid = _announced()
    return LocalEndpoint(url) if _is_alive(pid) and LocalEndpoint(url).is_up else None


def _announced() -> tuple[str, int]:
    """Return the URL and the process id in the file, or "" and 0 if it has none."""
    try:
        said = json.loads(_FILE.read_text())
        return str(said["url"]), int(said["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return "", 0


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
