"""What all HTTP connections of a stand-in share."""

from dataclasses import dataclass, field
from selectors import BaseSelector
from typing import Protocol

from testbed.stand_in.http2_answer import AnswerWriter
from testbed.stand_in.http2_settings import Http2Limits
from testbed.stand_in.post_handler import PostHandler
from testbed.stand_in.request import RequestReader
from testbed.stand_in.response import ResponseWriter
from testbed.stand_in.timers import Timers


class Flushable(Protocol):
    """A connection that writes at the end of a turn of the server."""

    def flush(self) -> None:
        """Write what waits to be written."""
        ...


@dataclass(slots=True)
class ServerContext:
    """One of each; `post_handler` is replaced when the behaviour is."""

    selector: BaseSelector
    timers: Timers
    reader: RequestReader
    writer: ResponseWriter
    post_handler: PostHandler
    limits: Http2Limits
    http2_writer: AnswerWriter = field(default_factory=AnswerWriter)
    unflushed: dict[Flushable, None] = field(default_factory=dict)
    """The connections with something to write, in this turn of the server."""
