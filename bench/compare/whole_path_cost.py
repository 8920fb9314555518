"""What the whole path of one connection costs, by the program bench/compare/whole_path.py.

That program starts what it needs and prints one line of JSON with
`cpu_microseconds_per_connection`.
"""

import json
import os
import subprocess
import sys

from bench.compare.child import neutral_environment
from bench.errors import BenchError
from bench.paths import ROOT

_PROGRAM = ROOT / "bench" / "compare" / "whole_path.py"
_LIMIT_SECONDS = 120


def whole_path_microseconds() -> float | None:
    """Return CPU microseconds for each connection; None where the program is missing."""
    if not _PROGRAM.exists():
        return None
    try:
        run = subprocess.run(
            [sys.executable, "-m", "bench.compare.whole_path"],
            cwd=ROOT,
            env=neutral_environment(os.environ),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=_LIMIT_SECONDS,
        )
        return float(json.loads(run.stdout)["cpu_microseconds_per_connection"])
    except (subprocess.SubprocessError, ValueError, TypeError, KeyError) as error:
        raise BenchError(f"bench/compare/whole_path.py measured nothing: {error}") from error
