"""The account of a broadcast as CloudWatch metrics, in the embedded metric format."""

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit

from worker import Carried

_metrics = Metrics(namespace="Crier")


def publish_carried(carried: Carried) -> None:
    """Write the counts of one invocation; they add up over the invocations of a broadcast."""
    counts, summary = carried.counts, carried.summary
    figures = {
        "Targeted": counts.targeted,
        "Delivered": counts.delivered,
        "Gone": counts.gone,
        "Failed": counts.failed,
        "Expired": counts.expired,
        "Throttled": counts.throttled,
        "SlicesHandedOver": carried.handed_over,
    }
    for name, count in figures.items():
        _metrics.add_metric(name=name, unit=MetricUnit.Count, value=count)
    if summary.is_settled:
        wrong = summary.counts.targeted != summary.counts.ended
        _metrics.add_metric(name="AccountMismatch", unit=MetricUnit.Count, value=int(wrong))
        _metrics.add_metric(
            name="SettleMilliseconds",
            unit=MetricUnit.Milliseconds,
            value=summary.settled_ms - summary.opened_ms,
        )
    _metrics.flush_metrics()


def publish_rejected() -> None:
    """Count a message that broke its contract."""
    _metrics.add_metric(name="Rejected", unit=MetricUnit.Count, value=1)
    _metrics.flush_metrics()
