"""`crier listen` on the local AWS: a program that misses nothing, also when it is cut off."""

import asyncio
from collections.abc import Callable

import pytest
from typer.testing import Result

from crier.demo.run import connection_ids
from crier.deployed.deployment import Deployment
from tests.support.listening_process import listening
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(120)

Run = Callable[..., Result]


@pytest.fixture
def url(deployment: Deployment) -> str:
    """Where clients connect to."""
    return deployment.web_socket_url


async def _send(run: Run, *arguments: str) -> None:
    done = await asyncio.to_thread(run, "send", "--wait", *arguments)
    assert done.exit_code == 0, done.output


async def _only_id(deployment: Deployment) -> str:
    (found,) = await until(lambda: connection_ids(deployment))
    return found


def _cut(deployment: Deployment, connection: str) -> None:
    """Close a connection, as API Gateway does after two hours: without a bye."""
    deployment.callback_client().delete_connection(ConnectionId=connection)


async def test_frames_come_as_lines_at_once_and_ctrl_c_ends_it(url: str, run_crier: Run) -> None:
    """Another program reads them through a pipe."""
    async with listening(url) as client:
        await client.note("connected (joined)")
        await _send(run_crier, '{"score": "1:0"}')
        first = await client.line()
        await _send(run_crier, "Grüße")
        second = await client.line()
        client.interrupt()
        code = await client.ended()

    assert (first["message"], first["channel"], first["replayed"]) == (
        {"score": "1:0"},
        "*",
        False,
    )
    assert (second["message"], second["seq"]) == ("Grüße", first["seq"] + 1)
    assert code == 130


async def test_channel_is_listened_to_from_a_number_on(url: str, run_crier: Run) -> None:
    """What was sent before is shown first; what goes to everyone is not shown."""
    for text in ("one", "two", "three"):
        await _send(run_crier, "--channel", "listen-since", text)

    async with listening(
        url, "--channel", "listen-since", "--since", "1", "--count", "3"
    ) as client:
        await client.note("connected (joined)")
        replayed = [await client.line() for _ in range(2)]
        await _send(run_crier, "to everyone")
        await _send(run_crier, "--channel", "listen-since", "four")
        live = await client.line()
        code = await client.ended()

    assert [(one["message"], one["seq"], one["replayed"]) for one in replayed] == [
        ("two", 2, True),
        ("three", 3, True),
    ]
    assert (live["message"], live["seq"], live["replayed"]) == ("four", 4, False)
    assert code == 0


async def test_too_few_frames_in_time_are_an_error(url: str) -> None:
    """With an exit code for scripts."""
    async with listening(url, "--count", "1", "--timeout", "1") as client:
        text = await client.note("Error:")
        code = await client.ended()

    assert "0 frames came in 1 s, expected 1" in text
    assert code == 1


async def test_client_that_is_kicked_says_so_and_stays_away(
    deployment: Deployment, url: str, run_crier: Run
) -> None:
    """It hears the bye, and ends with an error."""
    async with listening(url) as client:
        await client.note("connected (joined)")
        kicked = await asyncio.to_thread(run_crier, "kick", await _only_id(deployment))
        state = await client.note("closed")
        text = await client.note("Error:")
        code = await client.ended()

    assert kicked.exit_code == 0
    assert "closed (kicked)" in state
    assert "the server has sent the client away (kicked)" in text
    assert code == 1


async def test_client_that_is_told_to_return_does(
    deployment: Deployment, url: str, run_crier: Run
) -> None:
    """Within the time that it is given."""
    async with listening(url, "--count", "1") as client:
        await client.note("connected (joined)")
        id_ = await _only_id(deployment)
        kick = ("kick", id_, "--code", "moved", "--reconnect-after", "100")
        await asyncio.to_thread(run_crier, *kick)
        waiting = await client.note("waiting")
        await client.note("connected (joined)")
        await _send(run_crier, "again")
        line = await client.line()
        code = await client.ended()

    assert "waiting (moved, again in 0." in waiting
    assert (line["message"], code) == ("again", 0)


async def test_client_that_is_cut_comes_back_without_a_loss(
    deployment: Deployment, url: str, run_crier: Run
) -> None:
    """What was sent while it was away comes once, and in its place."""
    async with listening(url, "--channel", "listen-cut") as client:
        await client.note("connected (joined)")
        await _send(run_crier, "--channel", "listen-cut", "before")
        before = await client.seqs(1)
        await asyncio.to_thread(_cut, deployment, await _only_id(deployment))
        await client.note("waiting (cut")
        for text in ("meanwhile", "and again"):
            await asyncio.to_thread(run_crier, "send", "--channel", "listen-cut", text)
        await client.note("connected (joined)")
        await _send(run_crier, "--channel", "listen-cut", "after")
        others = await client.seqs(3)
        client.interrupt()
        code = await client.ended()

    assert [*before, *others] == [1, 2, 3, 4]
    assert code == 130


async def test_channel_that_is_not_allowed_ends_it(url: str) -> None:
    """The own user's, of a client that has none: nothing else was to be shown."""
    async with listening(url, "--channel", "@") as client:
        refusal = await client.note("not-allowed: @")
        text = await client.note("Error:")
        code = await client.ended()

    assert refusal
    assert "no channel is left to show" in text
    assert code == 1


def test_local_run_is_found_without_a_url(run_crier: Run) -> None:
    """As by the other commands."""
    done = run_crier("listen", "--timeout", "2", "--json")

    assert done.exit_code == 0, done.output
    assert "connected (joined)" in done.stderr
