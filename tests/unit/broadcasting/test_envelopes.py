"""What SNS and EventBridge put around a broadcast is told apart from a typo."""

import json
from typing import Any

import pytest

from broadcasting.errors import RejectedError
from broadcasting.message import identity_of, parse_broadcast

INSIDE = '{"message": "hear", "id": "a"}'
NOTIFICATION: dict[str, Any] = {
    "Type": "Notification",
    "MessageId": "63a3f6b6-d533-4a47-aef9-fcf5cf758c76",
    "TopicArn": "arn:aws:sns:us-west-2:123456789012:news",
    "Message": INSIDE,
    "Timestamp": "2026-01-01T00:00:00.000Z",
    "SignatureVersion": "1",
    "Signature": "EXAMPLE",
    "SigningCertURL": "https://sns.us-west-2.amazonaws.com/S.pem",
    "UnsubscribeURL": "https://sns.us-west-2.amazonaws.com/?Action=Unsubscribe",
}
EVENT: dict[str, Any] = {
    "version": "0",
    "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718",
    "detail-type": "news",
    "source": "app",
    "account": "123456789012",
    "time": "2026-01-01T00:00:00Z",
    "region": "us-west-2",
    "resources": [],
    "detail": json.loads(INSIDE),
}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (NOTIFICATION, "an SNS envelope: set RawMessageDelivery to true on the subscription"),
        (NOTIFICATION | {"Subject": "s", "MessageAttributes": {}}, "an SNS envelope"),
        (NOTIFICATION | {"SequenceNumber": "10000000000000000000"}, "an SNS envelope"),
        (
            NOTIFICATION | {"Type": "SubscriptionConfirmation", "Token": "t", "SubscribeURL": "u"},
            "a request of SNS to confirm a subscription: open its SubscribeURL",
        ),
        (
            NOTIFICATION | {"Type": "UnsubscribeConfirmation", "Token": "t", "SubscribeURL": "u"},
            "a notice of SNS that a subscription has ended: nothing is to be sent",
        ),
        (EVENT, r"an EventBridge event: give the rule's target the InputPath \$.detail"),
        (EVENT | {"detail": "hear"}, "input transformer"),
        (EVENT | {"replay-name": "again"}, "an EventBridge event"),
        (EVENT | {"detail": json.loads("[" * 80 + "]" * 80)}, "an EventBridge event"),
    ],
)
def test_message_is_rejected_with_the_cure_when_it_is_an_envelope(
    body: dict[str, Any], reason: str
) -> None:
    """The reason names what to set; nothing can have been opened for it."""
    with pytest.raises(RejectedError, match=reason):
        parse_broadcast(json.dumps(body), "m")

    assert identity_of(json.dumps(body), "m") is None


@pytest.mark.parametrize(
    "body",
    [
        {key: value for key, value in NOTIFICATION.items() if key != "TopicArn"},
        {key: value for key, value in EVENT.items() if key != "region"},
        {"message": 1, "Type": "Notification"},
        {"message": 1, "source": "app"},
    ],
)
def test_message_is_rejected_for_its_unknown_key_when_it_is_no_envelope(
    body: dict[str, Any],
) -> None:
    """One key less, or a broadcast with a key of an envelope, is a typo as ever."""
    with pytest.raises(RejectedError, match=r"^unknown key"):
        parse_broadcast(json.dumps(body), "m")
