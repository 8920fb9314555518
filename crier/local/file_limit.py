"""The limit of open files, which must be high enough for many sockets."""

import resource

from crier.errors import CrierError

_SPARE_FILES = 256


def allow_clients(clients: int) -> None:
    """Let this process, and those that it starts, have as many connections as `clients`.

    Raises CrierError, with what to type, when the system does not allow it.
    """
    needed, allowed = clients + _SPARE_FILES, raise_file_limit(clients + _SPARE_FILES)
    if allowed >= needed:
        return
    most = allowed - _SPARE_FILES
    fewer = f", or ask for at most {most} with CONNECTIONS={most}" if most > 0 else ""
    raise CrierError(
        f"{needed} open files are needed, this system allows {allowed}: as root, type "
        f"`ulimit -Hn {needed}` in this shell{fewer}"
    )


def raise_file_limit(files: int) -> int:
    """Raise the limit towards `files`, as far as the system allows it; return what is reached."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= files:
        return files
    allowed = files if hard == resource.RLIM_INFINITY else min(files, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    return allowed
