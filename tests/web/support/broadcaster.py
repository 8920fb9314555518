"""A producer for tests: broadcasts of which each says its own id."""

import secrets
from collections.abc import Callable
from typing import Any

from crier.deployed.deployment import Deployment
from crier.deployed.producer import enqueue_by
from tests.support.function_logs import Logs
from tests.support.waiting import wait_for


class Broadcaster:
    """Enqueues broadcasts to a deployment on the local AWS."""

    def __init__(self, deployment: Deployment, logs: Logs) -> None:
        self._client = deployment.client("sqs")
        self._queue_url = deployment.broadcast_queue_url
        self._logs = logs

    def send(self, count: int = 1, **audience: Any) -> list[str]:
        """Enqueue broadcasts whose message is `{"of": id}`; return their ids."""
        ids = [secrets.token_hex(8) for _ in range(count)]
        for one in ids:
            self.send_as(one, {"of": one}, **audience)
        return ids

    def send_as(self, id_: str, message: Any, **audience: Any) -> None:
        """Enqueue one broadcast."""
        enqueue_by(self._client, self._queue_url, {"id": id_, "message": message, **audience})

    def send_opened(self, count: int = 1, **audience: Any) -> list[str]:
        """Enqueue broadcasts, and wait until all have a number and can be replayed; return ids.

        A broadcast to a client that has just gone settles after a minute only.
        """
        ids = self.send(count, **audience)
        wait_for(lambda: set(ids) <= self._opened())
        return ids

    def send_until(self, is_done: Callable[[], bool], **audience: Any) -> list[str]:
        """Enqueue broadcasts at a steady pace until something is so, and one more; return ids."""
        ids: list[str] = []

        def is_done_now() -> bool:
            ids.extend(self.send(1, **audience))
            return is_done()

        wait_for(is_done_now)
        return ids + self.send(1, **audience)

    def _opened(self) -> set[str]:
        return {one["broadcast_id"] for one in self._logs.find(message="opened")}
