"""Which broadcast workers a storm kills, when, and at which request; what they had comes again."""

from crier.deployed.deployment import Deployment
from testbed.wire_faults import WireFault

TIMEOUT_SECONDS = 15
"""Of the broadcast function: its leases run out soon."""

_VISIBILITY_SECONDS = TIMEOUT_SECONDS + 6
"""One second more than a lease lasts: shorter than what is deployed, for the storm's sake."""

_EVERY_SECONDS = 7.0
_NOT_IN_THE_LAST_SECONDS = 10.0
"""What a killed worker had comes again a while later, which the end of a storm waits for."""

# The request at which a worker dies, whether before or after it is done, and a text of its body.
_NUMBER_TAKEN = ("UpdateItem", "kill_after", "")  # or its mark removed
_OPENED = ("TransactWriteItems", "kill_after", "frame#")
_POSTED = ("TransactWriteItems", "kill_before", '"settled"')
_CLOSED = ("TransactWriteItems", "kill_after", '"settled"')

_POINTS = (_POSTED, _OPENED, _CLOSED, _NUMBER_TAKEN, _POSTED, _OPENED, _CLOSED, _POSTED)
"""A worker that has taken a number dies rarely: until its message comes again all followers of the
channel ask for that number, and the local AWS answers one of them at a time.
"""


def kills(seconds: float) -> list[WireFault]:
    """Return one kill for every seven seconds of a storm, but for its end."""
    faults: list[WireFault] = []
    after_seconds = _EVERY_SECONDS / 2
    while after_seconds < seconds - _NOT_IN_THE_LAST_SECONDS:
        operation, kind, body = _POINTS[len(faults) % len(_POINTS)]
        faults.append(
            WireFault(
                operation=operation, kind=kind, body=body, times=1, after_seconds=after_seconds
            )
        )
        after_seconds += _EVERY_SECONDS
    return faults


def have_messages_come_soon_again(deployment: Deployment) -> None:
    """Have what a killed worker was at be taken up again soon."""
    attributes = {"VisibilityTimeout": str(_VISIBILITY_SECONDS)}
    for url in (deployment.broadcast_queue_url, deployment.slice_queue_url):
        deployment.client("sqs").set_queue_attributes(QueueUrl=url, Attributes=attributes)
