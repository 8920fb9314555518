"""A town whose crier always has something to tell: small broadcasts, for a page to show."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from crier.deployed.deployment import Deployment
from crier.deployed.producer import enqueue_by

CHANNELS: Final = ("news", "sport", "weather")

_HEADLINES: Final = (
    "The bridge at the mill is open again",
    "The library stays open until nine tonight",
    "The council votes on the new tram line on Monday",
    "A lost cat was found on the roof of the town hall",
    "The harbour market moves to the square this week",
)
_SKIES: Final = ("clear", "a few clouds", "light rain", "fog on the river", "sunny")
_CALLS: Final = (
    "Hear ye! The market closes at six",
    "Hear ye! The last ferry leaves at eleven",
    "Hear ye! Water is off in Mill Street until noon",
)
_KINDS: Final = 4
_MINUTES: Final = 90


def bulletin(number: int) -> dict[str, Any]:
    """Return the body of the broadcast of this number, from 0: the channels and everyone in turn.

    The message for everyone has no channel. The same number has the same message.
    """
    turn, kind = divmod(number, _KINDS)
    if kind == _KINDS - 1:
        return {"message": {"text": _CALLS[turn % len(_CALLS)]}}
    message = (_news, _sport, _weather)[kind](turn)
    return {"channel": CHANNELS[kind], "message": message}


def _news(turn: int) -> Mapping[str, Any]:
    return {"headline": _HEADLINES[turn % len(_HEADLINES)]}


def _sport(turn: int) -> Mapping[str, Any]:
    minute = turn % _MINUTES + 1
    score = f"{(minute + 12) // 35}:{minute // 40}"
    return {"match": "Harbour United - Hill Rovers", "minute": minute, "score": score}


def _weather(turn: int) -> Mapping[str, Any]:
    return {"celsius": 11 + turn * 7 % 9, "sky": _SKIES[turn % len(_SKIES)]}


class Town:
    """Broadcasts a bulletin each time `every_seconds` are over; the first one at once."""

    def __init__(self, deployment: Deployment, *, every_seconds: int) -> None:
        self._queue_url = deployment.broadcast_queue_url
        self._client = deployment.client("sqs")
        self._every_seconds = every_seconds
        self._due_seconds = 0.0
        self._told = 0

    def tell(self, now_seconds: float) -> None:
        """Enqueue the next bulletin if its time has come, on any clock that goes forward.

        One that cannot be enqueued is left out: the local run says that the local AWS has ended.
        """
        if now_seconds < self._due_seconds:
            return
        planned = self._due_seconds + self._every_seconds
        self._due_seconds = planned if planned > now_seconds else now_seconds + self._every_seconds
        with suppress(BotoCoreError, ClientError):
            enqueue_by(self._client, self._queue_url, bulletin(self._told))
        self._told += 1
