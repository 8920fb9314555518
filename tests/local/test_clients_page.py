"""The page for developers of clients: what it shows of the protocol is what happens."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest

from crier.demo.run import connection_ids
from crier.deployed.deployment import Deployment
from crier.deployed.producer import enqueue
from crier.local.deploy import deploy_locally
from crier.local.local_aws import LocalAws
from crier.paths import ROOT
from tests.support.function_logs import Logs
from tests.support.page_talk import ASK, CLOSE, CONNECT, HEAR, SEND, Names, talk_of, without_times
from tests.support.speaking_client import SpeakingClient, speaking
from tests.support.waiting import until

PAGE = ROOT / "docs" / "user" / "clients.md"

pytestmark = pytest.mark.timeout(240)


@pytest.fixture(scope="module")
def local_aws() -> Iterator[LocalAws]:
    """A local AWS for this file alone: the numbers of the page are those of a new stack."""
    with LocalAws() as aws:
        yield aws


@pytest.fixture(scope="module")
def deployment(local_aws: LocalAws) -> Deployment:
    """What `crier local` deploys."""
    return deploy_locally(local_aws, lambda _: None)


async def test_page_shows_what_happens(deployment: Deployment, logs: Logs) -> None:
    """Each line, in its order; but for ids, epochs and times, all is as the page has it."""
    talk, names = talk_of(PAGE), Names()
    async with AsyncExitStack() as connected:
        client: SpeakingClient | None = None
        for sign, shown in talk:
            if sign == CONNECT:
                opening = speaking(deployment.web_socket_url)
                client = await connected.enter_async_context(opening)
                continue
            if sign == CLOSE:
                await connected.aclose()
                await until(lambda: not connection_ids(deployment))
                continue
            said = names.put_in(shown)
            if sign == SEND:
                await asyncio.to_thread(enqueue, deployment, said)
                await until(
                    lambda id_=said["id"]: logs.find(message="settled", broadcast_id=id_)  # type: ignore[misc]
                )
                continue
            assert client
            if sign == ASK:
                await client.send(said)
                continue
            heard = await client.hear()
            names.learn(shown, heard)
            assert without_times(heard) == without_times(names.put_in(shown))

    assert [sum(one.sign == sign for one in talk) for sign in (CONNECT, ASK, HEAR, SEND)] == [
        2,
        8,
        9,
        4,
    ]
