"""The limit of open files, which many sockets need raised."""

import resource

from crier.errors import CrierError


def raise_file_limit(files: int) -> None:
    """See to it that this process, and those it starts, may open so many files.

    Raises CrierError, with what to type, when the system does not allow it.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= files:
        return
    if hard != resource.RLIM_INFINITY and hard < files:
        raise CrierError(
            f"{files} open files are needed, this system allows {hard}: as root, type "
            f"`ulimit -Hn {files}` in this shell, or ask for fewer with CONNECTIONS="
        )
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, hard))
