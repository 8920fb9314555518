"""Enqueues broadcasts, as any producer does."""

import json
from typing import Any

from crier.deployed.deployment import Deployment


def enqueue(deployment: Deployment, body: dict[str, Any]) -> str:
    """Send a broadcast's body to the broadcast queue and return the id of the SQS message."""
    answer = deployment.client("sqs").send_message(
        QueueUrl=deployment.broadcast_queue_url, MessageBody=json.dumps(body, ensure_ascii=True)
    )
    return str(answer["MessageId"])
