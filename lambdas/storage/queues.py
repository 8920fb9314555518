"""The queues that the broadcast function sends to: slices, and dead letters with a reason."""

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from broadcasting.slice import Slice, encode_slice
from storage.errors import StorageError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

_REASON_CHARACTERS = 1_000


class SliceQueue:
    """The internal queue that carries what an invocation leaves undone."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    def send(self, piece: Slice, *, delay_seconds: int) -> None:
        """Send a slice, to be taken up after a delay of 0 to 900 s. Raises StorageError."""
        try:
            self._client.send_message(
                QueueUrl=self._url, MessageBody=encode_slice(piece), DelaySeconds=delay_seconds
            )
        except (ClientError, BotoCoreError) as error:
            raise StorageError(f"slice of {piece.broadcast_id} not sent: {error}") from error


class DeadLetters:
    """A dead-letter queue, for messages that no retry can help."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    def send(self, body: str, *, message_id: str, reason: str) -> None:
        """Keep a message as it came, its reason and first id as attributes.

        Raises StorageError, also when body and attributes are more than SQS takes (1 MiB).
        """
        shown = "".join(character if character.isprintable() else "?" for character in reason)
        try:
            self._client.send_message(
                QueueUrl=self._url,
                MessageBody=body,
                MessageAttributes={
                    "reason": {
                        "DataType": "String",
                        "StringValue": shown[:_REASON_CHARACTERS],
                    },
                    "messageId": {"DataType": "String", "StringValue": message_id},
                },
            )
        except (ClientError, BotoCoreError) as error:
            raise StorageError(f"dead letter {message_id} not kept: {error}") from error
