"""What a cold start of the connect function pays for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

LAMBDAS = Path(__file__).parents[3] / "lambdas"


@pytest.mark.parametrize("function", ["connect", "disconnect", "client_frame"])
def test_function_imports_no_metrics_nor_batch(function: str) -> None:
    """Each connection waits for these imports."""
    program = f"import sys, handlers.{function}; print(*sys.modules)"

    run = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(LAMBDAS)},
        capture_output=True,
        text=True,
        check=True,
    )

    # Powertools' own metrics come with its Logger; ours, and what only broadcasting needs, do not.
    banned = {"metrics", "handlers.broadcast", "aws_lambda_powertools.utilities.batch"}
    assert banned.isdisjoint(run.stdout.split())
