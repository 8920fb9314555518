"""The account of a broadcast as CloudWatch metrics, in the embedded metric format."""

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit

from broadcasting.receipt import Receipt

_metrics = Metrics(namespace="Crier")


def publish_receipt(receipt: Receipt, settle_milliseconds: int | None) -> None:
    """Write the counts of one invocation; they add up over the invocations of a broadcast.

    `settle_milliseconds` is from the opening of the broadcast to the end of its slice, None
    where a part of it was handed over.
    """
    counts = {
        "Targeted": receipt.targeted,
        "Delivered": receipt.delivered,
        "Gone": receipt.gone,
        "Failed": receipt.failed,
        "Throttled": receipt.throttled,
    }
    for name, count in counts.items():
        _metrics.add_metric(name=name, unit=MetricUnit.Count, value=count)
    if settle_milliseconds is not None:
        _metrics.add_metric(
            name="SettleMilliseconds", unit=MetricUnit.Milliseconds, value=settle_milliseconds
        )
    _metrics.flush_metrics()


def publish_rejected() -> None:
    """Count a message that broke its contract."""
    _metrics.add_metric(name="Rejected", unit=MetricUnit.Count, value=1)
    _metrics.flush_metrics()
