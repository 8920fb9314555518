"""The shared budget against the local AWS: real conditional writes to the deployed table."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from botocore.config import Config

from broadcasting.pacing.budget import Ask, BudgetError, Grant
from broadcasting.pacing.pace import Pace
from crier.deployed.deployment import Deployment
from storage.budget import KEY, PostBudget
from testbed.model.fakes import FakeTime

PACE = Pace(posts_per_second=8_000.0, burst=4_000.0)
NOW_MS = int(time.time() * 1000)


class Budgets:
    """Makes workers' budgets on one row, at a time of the test's own."""

    def __init__(self, deployment: Deployment) -> None:
        self.now_ms = NOW_MS
        self.client = deployment.client("dynamodb")
        self.table = deployment.ledger_table_name
        self.requests = 0
        self.client.meta.events.register("before-call.dynamodb.UpdateItem", self._count)
        self.forget()

    def worker(self) -> PostBudget:
        """Return another worker's budget."""
        clock = FakeTime().clock._replace(epoch_ms=lambda: self.now_ms)
        return PostBudget(self.client, self.table, pace=PACE, clock=clock)

    def forget(self) -> None:
        """Delete the row."""
        self.client.delete_item(TableName=self.table, Key=KEY)

    def _count(self, **_: object) -> None:
        self.requests += 1


@pytest.fixture
def budgets(deployment: Deployment) -> Iterator[Budgets]:
    """Return budgets on a row that is not there yet."""
    budgets = Budgets(deployment)
    yield budgets
    budgets.forget()


def _big(most: int) -> Ask:
    return Ask(uncharged=0, most=most, is_small=False)


def _ends_at_ms(grant: Grant) -> float:
    return grant.opens_at_ms + (grant.posts - 1) * grant.ms_per_post


def test_idle_budget_grants_a_broadcast_that_fits_in_one_request(budgets: Budgets) -> None:
    """There need not be a row."""
    grant = budgets.worker().reserve(_big(3_000))

    assert (grant.posts, budgets.requests) == (3_000, 1)
    assert _ends_at_ms(grant) == pytest.approx(NOW_MS, abs=0.01)


def test_budget_is_one_for_all_workers(budgets: Budgets) -> None:
    """What one has taken another one cannot have at once."""
    first = budgets.worker().reserve(_big(3_000))
    second = budgets.worker().reserve(_big(1_000_000))

    assert first.posts == 3_000
    assert second.opens_at_ms == pytest.approx(NOW_MS + second.ms_per_post, abs=0.01)
    assert budgets.requests == 3


def test_budget_of_a_worker_that_knows_the_queue_takes_one_request(budgets: Budgets) -> None:
    """It expects to find what it found the last time."""
    worker = budgets.worker()
    worker.reserve(_big(3_000))
    worker.reserve(_big(100))
    before = budgets.requests

    budgets.now_ms += 10
    worker.reserve(_big(100))

    assert budgets.requests == before + 1


def test_budget_refills_with_time(budgets: Budgets) -> None:
    """After an idle time the burst is there again."""
    worker = budgets.worker()
    worker.reserve(_big(3_000))
    budgets.now_ms += 2_000

    assert worker.reserve(_big(3_000)).opens_at_ms < budgets.now_ms - 374


def test_budget_is_exact_when_many_workers_reserve_at_once(budgets: Budgets) -> None:
    """No reservation is lost, none counted twice."""
    workers = [budgets.worker() for _ in range(8)]
    with ThreadPoolExecutor(8) as threads:
        grants = [
            grant
            for _ in range(5)
            for grant in threads.map(
                lambda worker: worker.reserve(Ask(3, 40, is_small=False)), workers
            )
        ]

    item = budgets.client.get_item(TableName=budgets.table, Key=KEY)["Item"]
    reserved = (float(item["tat"]["N"]) - NOW_MS) * PACE.posts_per_second / 1000
    assert reserved == pytest.approx(sum(grant.posts for grant in grants), abs=0.01)


def test_budget_that_cannot_be_reached_says_so(budgets: Budgets) -> None:
    """The worker that asks can go on without it."""
    worker = PostBudget(budgets.client, "no-such-table", pace=PACE, clock=FakeTime().clock)

    with pytest.raises(BudgetError, match=r"row budget/posts not updated.*posting goes on"):
        worker.reserve(_big(10))


def test_budget_of_a_dead_endpoint_says_so(deployment: Deployment) -> None:
    """The same when there is no answer at all."""
    hasty = Config(connect_timeout=0.2, retries={"total_max_attempts": 1})
    client = deployment.session.client("dynamodb", endpoint_url="http://127.0.0.1:9", config=hasty)
    worker = PostBudget(client, "broadcasts", pace=PACE, clock=FakeTime().clock)

    with pytest.raises(BudgetError, match="row budget/posts not updated"):
        worker.reserve(_big(10))
