"""The account of a broadcast as CloudWatch metrics, in the embedded metric format."""

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit

from broadcasting.ledger import LeaseLostError
from slices.report import InvocationReport

_metrics = Metrics(namespace="Crier")


def publish_lease(*, is_opened: bool, is_resumed: bool) -> None:
    """Count a broadcast that is opened, or a slice that an earlier invocation has begun."""
    for name, count in {"Opened": is_opened, "SlicesResumed": is_resumed}.items():
        _metrics.add_metric(name=name, unit=MetricUnit.Count, value=int(count))
    _metrics.flush_metrics()


def publish_report(report: InvocationReport) -> None:
    """Write the counts of one invocation; they add up over the invocations of a broadcast.

    `RoundsLost` counts the rounds in which all posts were refused, throttled or not answered.
    """
    counts, summary = report.counts, report.summary
    figures = {
        "Targeted": counts.targeted,
        "Delivered": counts.delivered,
        "Gone": counts.gone,
        "Failed": counts.failed,
        "Expired": counts.expired,
        "Excluded": counts.excluded,
        "Throttled": counts.throttled,
        "SlicesHandedOver": report.handed_over,
        "RoundsLost": int(report.trouble is not None),
        "LeasesLost": int(isinstance(report.stopped_by, LeaseLostError)),
    }
    for name, count in figures.items():
        _metrics.add_metric(name=name, unit=MetricUnit.Count, value=count)
    _metrics.add_metric(
        name="ThrottledPercent", unit=MetricUnit.Percent, value=100 * counts.throttled_share
    )
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
