"""What is logged at which level, as the environment sets it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

LAMBDAS = Path(__file__).parents[3] / "lambdas"
PROGRAM = """
from log import log_receipt, logger

def report():
    log_receipt("settled", broadcast_id="b")

logger.info("connected")
logger.warning("posting at a local pace")
logger.error("rejected")
report()
"""


@pytest.mark.parametrize(
    ("environment", "logged"),
    [
        ({}, ["connected", "posting at a local pace", "rejected", "settled"]),
        ({"POWERTOOLS_LOG_LEVEL": "WARNING"}, ["posting at a local pace", "rejected", "settled"]),
        ({"POWERTOOLS_LOG_LEVEL": "ERROR"}, ["rejected", "settled"]),
        ({"AWS_LAMBDA_LOG_LEVEL": "ERROR"}, ["rejected", "settled"]),
    ],
)
def test_receipt_is_logged_at_every_level(environment: dict[str, str], logged: list[str]) -> None:
    """It is one line, of the same shape as the others, also where Lambda sets the level."""
    kept = {name: value for name, value in os.environ.items() if "LOG_LEVEL" not in name}

    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=kept | {"PYTHONPATH": str(LAMBDAS), "POWERTOOLS_SERVICE_NAME": "unit"} | environment,
        capture_output=True,
        text=True,
        check=True,
    )

    lines = [json.loads(line) for line in run.stdout.splitlines()]
    assert [line["message"] for line in lines] == logged
    receipt = lines[-1]
    assert (receipt["level"], receipt["service"]) == ("INFO", "unit")
    assert (receipt["location"], receipt["broadcast_id"]) == ("report:5", "b")
