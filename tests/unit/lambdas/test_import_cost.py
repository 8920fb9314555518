"""What a cold start of the connect function pays for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EAGER = pytest.mark.xfail(reason="powertools imports metrics in its __init__", strict=True)
LAMBDAS = Path(__file__).parents[3] / "lambdas"


@pytest.mark.parametrize(
    "function",
    [
        pytest.param("connect", marks=EAGER),
        pytest.param("disconnect", marks=EAGER),
        "unknown_frame",
    ],
)
def test_function_imports_no_metrics_nor_batch(function: str) -> None:
    """Each connection waits for these imports."""
    program = f"import sys, {function}; print(*sys.modules)"

    run = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": str(LAMBDAS)},
        capture_output=True,
        text=True,
        check=True,
    )

    banned = ("aws_lambda_powertools.metrics", "aws_lambda_powertools.utilities.batch")
    assert [name for name in run.stdout.split() if name.startswith(banned)] == []
