"""Finds out before the work whether its result can be written."""

import tempfile
from pathlib import Path

from crier.errors import CrierError


def make_place_for(path: Path) -> None:
    """Make the folder of a file that will be written. Raises CrierError when it cannot be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        raise CrierError(
            f"{path} cannot be written ({error.strerror}): let its folder be one that you may "
            "write to"
        ) from error
