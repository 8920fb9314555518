"""What a cold start pays for, of the functions that a client waits for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.authorizing import PUBLIC_KEYS, SECRETS, TICKETS

LAMBDAS = Path(__file__).parents[3] / "lambdas"


def _imported(program: str, **environment: str) -> set[str]:
    """Return what a program has imported at its end."""
    run = subprocess.run(
        [sys.executable, "-c", f"import sys\n{program}\nprint(*sys.modules)"],
        env=os.environ | {"PYTHONPATH": str(LAMBDAS)} | environment,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(run.stdout.split())


@pytest.mark.parametrize("function", ["connect", "disconnect", "client_frame"])
def test_function_imports_no_metrics_nor_batch(function: str) -> None:
    """Each connection waits for these imports."""
    imported = _imported(f"import handlers.{function}")

    # Powertools' own metrics come with its Logger; ours, and what only broadcasting needs, do not.
    banned = {"metrics", "handlers.broadcast", "aws_lambda_powertools.utilities.batch"}
    assert banned.isdisjoint(imported)


def test_client_frames_import_nothing_that_delivers() -> None:
    """A client waits for its first answer."""
    imported = _imported("import handlers.client_frame")

    assert imported.isdisjoint({"wiring", "metrics", "delivery", "slices", "boto3", "jwt"})


LARGE = {"botocore.session", "jwt", "cryptography", "http.client"}
IN_LAMBDA = {"AWS_LAMBDA_FUNCTION_NAME": "f", "AWS_DEFAULT_REGION": "eu-west-1"}


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        (PUBLIC_KEYS, {"jwt", "cryptography", "http.client"}),
        (SECRETS, LARGE),
        (TICKETS, {"botocore.session", "http.client"}),
        (PUBLIC_KEYS | {"DENY_LIST": "true", "CONNECTIONS_TABLE": "t"}, LARGE),
    ],
)
def test_authorizer_imports_what_its_mode_needs(
    environment: dict[str, str], expected: set[str]
) -> None:
    """Tickets need no cryptography, public keys no AWS; none needs what delivers broadcasts."""
    imported = _imported("import handlers.authorize", **IN_LAMBDA, **environment)

    assert imported & LARGE == expected
    assert imported.isdisjoint({"wiring", "metrics", "delivery", "slices", "boto3"})


def test_authorizer_imports_nothing_large_until_it_is_wired() -> None:
    """No tool and no test pays for it."""
    assert _imported("import handlers.authorize").isdisjoint(LARGE)
