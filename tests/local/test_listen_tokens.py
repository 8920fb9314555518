"""`crier listen` where clients need a token, on a local AWS of its own: by ticket, then by jwt.

The tests stand in the order of the deploys, so that each deploy changes what the one before made.
"""

import asyncio
import json
import shlex
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from typer.testing import Result

from crier.deployed.deployment import Deployment
from crier.local import own_issuer
from crier.local.deploy import deploy_locally
from crier.local.local_aws import LocalAws
from tests.support.listening_process import listening

pytestmark = pytest.mark.timeout(240)

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def local_aws() -> Iterator[LocalAws]:
    """A local AWS for this file alone: the mode of the stack would disturb other tests."""
    with LocalAws() as aws:
        yield aws


@pytest.fixture(scope="module")
def deployment(local_aws: LocalAws) -> Deployment:
    """The app in the mode ticket."""
    return deploy_locally(local_aws, lambda _: None, auth="ticket")


def test_local_run_that_wants_a_ticket_is_an_error_without_one(run_crier: Run) -> None:
    """It says what to give; nothing is connected to."""
    done = run_crier("listen", "--timeout", "5")

    assert done.exit_code == 1
    assert "lets clients in by auth=ticket: give --token or --token-command" in str(done.exception)


async def test_ticket_lets_the_client_in_once(deployment: Deployment, run_crier: Run) -> None:
    """Used again it is refused, which ends the program: there is no other one."""
    made = await asyncio.to_thread(run_crier, "ticket", "--user", "alice", "--json")
    options = ("--token", json.loads(made.stdout)["ticket"], "--channel", "@")

    async with listening(deployment.web_socket_url, *options) as first:
        await first.note("connected (joined)")
        async with listening(deployment.web_socket_url, *options) as second:
            text = await second.note("Error:")
            code = await second.ended()

    assert "the client is not let in: the server answered 40" in text
    assert code == 1


async def test_token_command_gives_each_connect_its_token(
    local_aws: LocalAws, run_crier: Run, tmp_path: Path
) -> None:
    """A first one that is too old is replaced by a fresh one; the user's own frames come."""
    changed = deploy_locally(local_aws, lambda _: None, auth="jwt", **own_issuer.SETTINGS)
    secret = own_issuer.make_secret(changed)
    now = int(time.time())
    for name, seconds in (("first", now - 90_000), ("refused", now)):
        token = own_issuer.token_for("alice", secret, now_seconds=seconds)
        (tmp_path / name).write_text(token)
    command = f"cat {shlex.quote(str(tmp_path))}/$CRIER_TOKEN_REASON"
    options = ("--token-command", command, "--channel", "@", "--count", "1")

    async with listening(changed.web_socket_url, *options) as client:
        refused = await client.note("waiting")
        await client.note("connected (joined)")
        await asyncio.to_thread(run_crier, "send", "--user", "alice", "to alice")
        line = await client.line()
        code = await client.ended()

    assert "waiting (refused: the server answered 403, again in " in refused
    assert (line["message"], line["channel"], code) == ("to alice", "@", 0)


def test_token_command_that_gives_no_good_token_ends_the_program(run_crier: Run) -> None:
    """After one fresh one. A command that fails is told, and run again until the time is over."""
    fixed = run_crier("listen", "--token", "x")
    bad = run_crier("listen", "--token-command", "echo x")
    fails = run_crier("listen", "--token-command", "exit 7", "--timeout", "5")

    assert (fixed.exit_code, bad.exit_code, fails.exit_code) == (1, 1, 1)
    assert str(fails.exception) == "the client did not connect in 5 s: token"
    for one, tries in ((fixed, 1), (bad, 2)):
        assert "the client is not let in: the server answered 40" in str(one.exception)
        assert one.stderr.count("connecting (") == tries
    assert "token: the token command ended with 7: it said nothing" in fails.stderr
