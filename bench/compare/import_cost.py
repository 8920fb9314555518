"""What importing the broadcast handler costs, against boto3 and Powertools alone."""

import os
import subprocess
import sys
from statistics import median

from bench.compare.child import neutral_environment
from bench.paths import ROOT

_HANDLER = "import handlers.broadcast"
_ALONE = "import boto3; from aws_lambda_powertools import Logger, Metrics"
_PROGRAM = "import time; begun = time.process_time(); {}; print(time.process_time() - begun)"


def import_ratio(processes: int = 9) -> float:
    """Return the ratio of two medians of CPU time; each import is done in `processes` new ones."""
    for imports in (_HANDLER, _ALONE):  # compiles what is not compiled yet
        import_seconds(imports)
    pairs = [(import_seconds(_HANDLER), import_seconds(_ALONE)) for _ in range(processes)]
    return median(handler for handler, _ in pairs) / median(alone for _, alone in pairs)


def import_seconds(imports: str) -> float:
    """Return the CPU time of these imports in a process of their own."""
    run = subprocess.run(
        [sys.executable, "-c", _PROGRAM.format(imports)],
        env=neutral_environment(os.environ) | {"PYTHONPATH": str(ROOT / "lambdas")},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return float(run.stdout)
