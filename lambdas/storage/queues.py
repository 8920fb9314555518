"""The queues that the broadcast function sends to: slices, and dead letters with a reason."""

from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from broadcasting.dead_letter import Letter
from broadcasting.slice_message import encode_slice_message
from storage.errors import StorageError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


class SliceQueue:
    """The internal queue: each message names a slice of the ledger that is to be taken up."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    def send(self, broadcast_id: str, slice_id: str, *, delay_seconds: int = 0) -> None:
        """Have a slice taken up after a delay of 0 to 900 s. Raises StorageError."""
        body = encode_slice_message(broadcast_id, slice_id)
        try:
            self._client.send_message(
                QueueUrl=self._url, MessageBody=body, DelaySeconds=delay_seconds
            )
        except (ClientError, BotoCoreError) as error:
            raise StorageError(f"slice {slice_id} of {broadcast_id} not sent: {error}") from error


class DeadLetters:
    """A dead-letter queue, for messages that no retry can help."""

    def __init__(self, client: "SQSClient", url: str) -> None:
        self._client = client
        self._url = url

    def send(self, letter: Letter) -> None:
        """Keep a message as it came, with its attributes.

        Raises StorageError, also when body and attributes are more than SQS takes (1 MiB).
        """
        attributes: dict[str, Any] = {name: one.as_sqs() for name, one in letter.attributes.items()}
        try:
            self._client.send_message(
                QueueUrl=self._url, MessageBody=letter.body, MessageAttributes=attributes
            )
        except (ClientError, BotoCoreError) as error:
            raise StorageError(f"dead letter not kept: {error}") from error
