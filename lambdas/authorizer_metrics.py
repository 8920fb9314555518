"""What the authorizer has decided, as CloudWatch metrics in the embedded metric format.

Apart from metrics.py, which knows the account of a broadcast and would slow the start.
"""

from typing import Final

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import MetricUnit

from access.refusal import Refusal

_NAMESPACE: Final = "Crier"


def publish_let_in() -> None:
    """Count a client that is let in."""
    _publish("LetIn")


def publish_refused(refusal: Refusal) -> None:
    """Count a client that is refused: in all, and by its reason."""
    _publish("Refused", reason=str(refusal))


def publish_failed() -> None:
    """Count a client that is refused because the authorizer could not decide."""
    _publish("AuthorizerFailed")


def _publish(name: str, **dimensions: str) -> None:
    metrics = Metrics(namespace=_NAMESPACE)
    metrics.add_metric(name=name, unit=MetricUnit.Count, value=1)
    if dimensions:
        metrics.add_dimensions(**dimensions)
    metrics.flush_metrics()
