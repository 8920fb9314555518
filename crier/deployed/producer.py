"""Enqueues broadcasts, as any producer does."""

import json
from collections.abc import Mapping
from typing import Any

from crier.deployed.deployment import Deployment


def enqueue(deployment: Deployment, body: Mapping[str, Any]) -> str:
    """Send a broadcast's body to the broadcast queue and return the id of the SQS message."""
    return enqueue_by(deployment.client("sqs"), deployment.broadcast_queue_url, body)


def enqueue_by(client: Any, queue_url: str, body: Mapping[str, Any]) -> str:
    """Send a body to a queue by a boto3 client that is there, and return the message's id."""
    answer = client.send_message(
        QueueUrl=queue_url, MessageBody=json.dumps(body, ensure_ascii=True)
    )
    return str(answer["MessageId"])
