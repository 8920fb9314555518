"""The budget is asked for what is needed, also when posts are tried again."""

import pytest

from testbed.function.app import App, Function
from testbed.function.hostile import How, Outage
from tests.faults.conftest import Suffer

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("quick_probes")]


@pytest.mark.parametrize("clients", [200, 1_000])
@pytest.mark.parametrize("how", ["refused", "reset"])
def test_endpoint_that_is_down_costs_a_few_reservations(
    app: App, hostile: Suffer, how: How, clients: int
) -> None:
    """Retries that are due are demand: posts are reserved many at a time, not one by one."""
    hostile(Outage(how=how, seconds=3_000))
    app.connect(clients)

    app.send()
    app.invoke(Function(app))

    assert app.wire.reservations <= 10


def test_posts_after_an_outage_cost_a_few_reservations(app: App, hostile: Suffer) -> None:
    """Every connection is tried again once it is over, with few writes to the budget's row."""
    hostile(Outage(how="reset", seconds=20, after_posts=300))
    app.connect(1_000)

    broadcast_id = app.send()
    app.run()

    assert app.account(broadcast_id).counts.delivered == 1_000
    assert app.wire.reservations <= 10 * app.invocations
