"""What all HTTP connections of a stand-in share."""

from dataclasses import dataclass
from selectors import BaseSelector

from testbed.stand_in.post_handler import PostHandler
from testbed.stand_in.request import RequestReader
from testbed.stand_in.response import ResponseWriter
from testbed.stand_in.timers import Timers


@dataclass(slots=True)
class ServerContext:
    """One of each; `post_handler` is replaced when the behaviour is."""

    selector: BaseSelector
    timers: Timers
    reader: RequestReader
    writer: ResponseWriter
    post_handler: PostHandler
