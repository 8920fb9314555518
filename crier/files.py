"""Finds out, before the work begins, whether its result can be written."""

import tempfile
from pathlib import Path

from crier.errors import CrierError


def make_place_for(path: Path) -> None:
    """Make the folder for a file that will be written. Raises CrierError if that is impossible."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        raise CrierError(
            f"{path} cannot be written ({error.strerror}): name a file in a folder that you may "
            "write to"
        ) from error
