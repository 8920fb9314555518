"""The release before HTTP/2, unpacked beside this one: its engine is measured in the same run.

So the figures of both are of one machine, one stand-in and one hour, repeat by repeat: what makes
the machine noisy meets both alike. A checkout without that part of the history has no such release:
then its runs are left out, and what is judged by them is not measured.
"""

import io
import shutil
import subprocess
from zipfile import ZipFile

from bench.paths import BEFORE, ROOT

COMMIT = "e0ca877397d82ffbfcdfd4c3d7428973622db9ed"
"""The last one that spoke HTTP/1.1 only."""
_PARTS = ("lambdas", "bench", "testbed")
_MARK = BEFORE / "commit"


def unpack_before() -> bool:
    """Unpack the release before, unless it is there; return whether it is there now."""
    if _MARK.exists() and _MARK.read_text() == COMMIT:
        return True
    command = ("git", "archive", "--format=zip", COMMIT, "--", *_PARTS)
    try:
        archive = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return False
    shutil.rmtree(BEFORE, ignore_errors=True)
    ZipFile(io.BytesIO(archive)).extractall(BEFORE)
    _MARK.write_text(COMMIT)
    return True
