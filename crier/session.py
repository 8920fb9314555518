"""Where a running local AWS is, kept in a file so that `crier send` finds it."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager

from crier.errors import CrierError
from crier.local_aws import Endpoint
from crier.project import BUILD

_FILE = BUILD / "local.json"


@contextmanager
def announced(endpoint: Endpoint) -> Iterator[None]:
    """Let other commands find a local run as long as the block lasts."""
    _FILE.parent.mkdir(parents=True, exist_ok=True)
    _FILE.write_text(json.dumps({"url": endpoint.url, "pid": os.getpid()}) + "\n")
    try:
        yield
    finally:
        if _announced()[1] == os.getpid():
            _FILE.unlink(missing_ok=True)


def running_endpoint() -> Endpoint:
    """Return the running local AWS. Raises CrierError when there is none."""
    url, pid = _announced()
    if not url or not _is_alive(pid):
        raise CrierError(
            "no local run is there: start one with `python -m crier local`, or name a deployed "
            "stack with --stack"
        )
    return Endpoint(url)


def _announced() -> tuple[str, int]:
    """Return what the file says: a URL and a process id, or nothing that runs."""
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
