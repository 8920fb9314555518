"""What is published and what stays behind: metrics, logs, threads, expired connections."""

import threading

import pytest

from testbed.function.app import App, Function
from testbed.function.hostile import Outage
from testbed.function.observed import metric_sums
from testbed.stand_in.behaviour import Behaviour
from testbed.stand_in.errors import error_answer
from testbed.stand_in.reaction import Answer, Post, Reaction
from testbed.wire_faults import WireFault
from tests.faults.conftest import Behave, Suffer
from tests.support.promises import expect_exact, expect_kept

pytestmark = [pytest.mark.timeout(120), pytest.mark.usefixtures("quick_aws_tries")]

QUICK = Behaviour(latency_median_seconds=0.005)


def _expect_published(app: App, broadcast_id: str, printed: str) -> None:
    """Check that the metrics of all invocations add up to the account."""
    sums, counts = metric_sums(printed), app.account(broadcast_id).counts
    assert sums["Targeted"] == counts.targeted
    assert sums["Delivered"] == counts.delivered
    assert sums["Failed"] == counts.failed
    assert sums["Expired"] == counts.expired


def test_metrics_add_up_when_a_refused_message_goes_back(
    app: App, stand_in: Behave, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing but 403 in the first invocation, all delivered in a later one."""

    def script(_: Post) -> Reaction:
        return error_answer(403) if app.invocations <= 1 else Answer(200)

    here = stand_in(script)
    audience = app.connect(6)

    broadcast_id = app.send()
    app.run()

    expect_kept(app, broadcast_id, here.report(), audience)
    _expect_published(app, broadcast_id, capsys.readouterr().out)


def test_metrics_add_up_when_writes_fail(
    app: App, stand_in: Behave, capsys: pytest.CaptureFixture[str]
) -> None:
    """The release and the hand-over fail for a while: what was saved was published."""
    app.slow_down(30)
    here = stand_in(QUICK)
    audience = app.connect(120)
    app.faults = [WireFault(operation="SendMessage", kind="refuse", times=3)]

    broadcast_id = app.send()
    app.run()

    assert app.happened == 3
    expect_kept(app, broadcast_id, here.report(), audience)
    _expect_published(app, broadcast_id, capsys.readouterr().out)


@pytest.mark.usefixtures("quick_probes")
def test_metrics_count_rounds_that_an_outage_cost(
    app: App, hostile: Suffer, capsys: pytest.CaptureFixture[str]
) -> None:
    """There is a metric of them, and the log says what was answered, without ids and URLs."""
    hostile(Outage(how="refused", seconds=20))
    audience = app.connect(5)

    app.send()
    app.run()

    lines = app.log.of("slice handed over")
    assert metric_sums(capsys.readouterr().out)["RoundsLost"] == len(lines) > 1
    for line in lines:
        (reason,) = line.fields["reasons"]
        assert "refused" in reason
        assert line.fields["reasons"][reason] == len(audience)
    shown = str([line.fields for line in lines])
    assert not any(name in shown for name in audience)
    assert "127.0.0.1" not in shown


def test_threads_of_failed_invocations_end(app: App, stand_in: Behave) -> None:
    """The clean-up ends with its invocation, however that ends."""
    stand_in(Behaviour(latency_median_seconds=0.005, gone_share=0.5))
    app.connect(100)
    app.faults = [
        WireFault(operation="TransactWriteItems", body='{"S": "settled"}', kind="refuse"),
        WireFault(operation="BatchWriteItem", kind="unprocessed"),
    ]
    function, earlier = Function(app), set(threading.enumerate())

    ids = [app.send() for _ in range(4)]
    for _ in ids:
        app.invoke(function)
    left = [one for one in threading.enumerate() if "sweep" in one.name and one not in earlier]
    for thread in left:
        thread.join(timeout=10)

    assert not any(thread.is_alive() for thread in left)
    app.faults = []
    app.run(function)
    for one in ids:
        expect_exact(app.account(one))


@pytest.mark.parametrize("kind", ["refuse", "break", "lose"])
def test_clean_up_that_fails_hides_no_settling(app: App, stand_in: Behave, kind: str) -> None:
    """Whatever way deletes fail in, the broadcast is settled, and the log says so."""
    stand_in(Behaviour(latency_median_seconds=0.005, gone_share=0.5))
    app.connect(60)
    app.faults = [WireFault(operation="BatchWriteItem", kind=kind, times=4)]

    broadcast_id = app.send()
    app.run()

    expect_exact(app.account(broadcast_id))
    assert len(app.log.of("settled")) == 1
    assert app.invocations == 1


def test_connection_that_received_it_in_time_is_not_expired(app: App, stand_in: Behave) -> None:
    """Answers take 1.5 s, and the time to live ends meanwhile: each is counted by its answer."""
    app.posts_per_second = 200
    here = stand_in(lambda _: Answer(200, delay_seconds=1.5))
    app.connect(600)

    broadcast_id = app.send(ttlSeconds=3)
    app.run()

    counts = app.account(broadcast_id).counts
    expect_exact(app.account(broadcast_id))
    assert counts.targeted == 600
    assert counts.delivered == len(here.report().received) > 0
    assert counts.expired == 600 - counts.delivered > 0
