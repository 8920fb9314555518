"""In Lambda a function is wired while its module is loaded; elsewhere on the first call."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

LAMBDAS = Path(__file__).parents[3] / "lambdas"
IN_LAMBDA = {"AWS_LAMBDA_FUNCTION_NAME": "f", "AWS_DEFAULT_REGION": "eu-west-1"}
SETTINGS = {
    "CONNECTIONS_TABLE": "t",
    "BROADCASTS_TABLE": "b",
    "CALLBACK_URL": "https://a.execute-api.eu-west-1.amazonaws.com/prod",
    "DEAD_LETTER_QUEUE_URL": "https://sqs/dead",
    "SLICE_QUEUE_URL": "https://sqs/slices",
    "SLICE_QUEUE_ARN": "arn:aws:sqs:eu-west-1:1:slices",
    "SLICE_DEAD_LETTER_QUEUE_URL": "https://sqs/slice-dead",
    "POSTS_IN_FLIGHT": "4",
    "HTTP2": "true",
    "POSTS_PER_SECOND": "8000",
    "POST_BURST": "4000",
    "OUTAGE_SECONDS": "3600",
    "MAXIMUM_CONCURRENCY": "5",
    "REPLAY_SECONDS": "86400",
    "REPLAY_FRAMES": "300",
    "OPEN_CHANNELS": "*",
    "AUTH": "ticket",
    "DENY_LIST": "true",
    "SESSION_ENDS_WITH_TOKEN": "true",
}
FUNCTIONS = [
    ("connect", "wiring.connections_table"),
    ("disconnect", "wiring.connections_table"),
    ("client_frame", "client_frame_wiring.client_frame_wiring"),
    ("broadcast", "wiring.broadcast_wiring"),
    ("authorize", "authorizer_wiring.authorizer_wiring"),
]


def _run(program: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name not in SETTINGS}
    return subprocess.run(
        [sys.executable, "-c", program],
        env=inherited | environment | {"PYTHONPATH": str(LAMBDAS)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(("place", "built"), [(IN_LAMBDA, "1"), ({}, "0")])
@pytest.mark.parametrize(("function", "builder"), FUNCTIONS)
def test_function_is_wired_when_lambda_loads_it(
    function: str, builder: str, place: dict[str, str], built: str
) -> None:
    """The first event does not wait for it, and no test and no tool pays for it."""
    program = f"import handlers.{function}, {builder.split('.', maxsplit=1)[0]}; "
    program += f"print({builder}.cache_info().currsize)"

    run = _run(program, SETTINGS | place)

    assert (run.stdout.strip(), run.returncode) == (built, 0), run.stderr


@pytest.mark.parametrize(("function", "builder"), FUNCTIONS)
def test_function_is_loaded_though_it_cannot_be_wired(function: str, builder: str) -> None:
    """The log says why; the first event raises it."""
    program = f"import handlers.{function}, {builder.split('.', maxsplit=1)[0]}; "
    program += f"print('loaded'); {builder}()"

    run = _run(program, IN_LAMBDA)

    first, last = run.stdout.splitlines()
    assert '"message":"not wired yet"' in first
    assert ("AUTH" if function == "authorize" else "CONNECTIONS_TABLE") + " is missing" in first
    assert last == "loaded"
    assert run.stderr.splitlines()[-1].startswith("settings.SettingsError: wrong environment")
