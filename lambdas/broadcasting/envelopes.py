"""The envelopes that SNS and EventBridge put around a message unless they are told not to."""

from collections.abc import Mapping
from typing import Any, Final

from broadcasting.errors import RejectedError

_SNS_KEYS: Final = frozenset({"Type", "MessageId", "TopicArn", "Message"})
"""The keys of a notification, and of the messages that a subscription begins and ends with.

https://docs.aws.amazon.com/sns/latest/dg/sns-message-and-json-formats.html
"""

_CONFIRMATION: Final = "SubscriptionConfirmation"
_GOODBYE: Final = "UnsubscribeConfirmation"

_EVENT_KEYS: Final = frozenset(
    {
        *("version", "id", "detail-type", "source", "account"),
        *("time", "region", "resources", "detail"),
    }
)
"""The keys of every event.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html
"""


def refuse_envelope(request: Mapping[str, Any]) -> None:
    """Raise RejectedError, with the cure, when a body is an envelope with the broadcast inside."""
    if request.keys() >= _EVENT_KEYS:
        raise RejectedError(
            "an EventBridge event: give the rule's target the InputPath $.detail, with a "
            "broadcast in detail, or an input transformer that makes one"
        )
    if not request.keys() >= _SNS_KEYS:
        return
    if request["Type"] == _CONFIRMATION:
        raise RejectedError(
            "a request of SNS to confirm a subscription: open its SubscribeURL, or subscribe as "
            "the owner of the queue, which needs no confirmation"
        )
    if request["Type"] == _GOODBYE:
        raise RejectedError(
            "a notice of SNS that a subscription has ended: nothing is to be sent; subscribe the "
            "queue again if it was not meant to end"
        )
    raise RejectedError(
        "an SNS envelope: set RawMessageDelivery to true on the subscription, so that the body "
        "is what was published"
    )
