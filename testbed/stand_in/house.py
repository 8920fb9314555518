"""What all HTTP connections of a stand-in share."""

from dataclasses import dataclass
from selectors import BaseSelector

from testbed.stand_in.desk import Desk
from testbed.stand_in.request import RequestReader
from testbed.stand_in.response import ResponseWriter
from testbed.stand_in.timers import Timers


@dataclass(slots=True)
class House:
    """One of each; `desk` is replaced when the behaviour is."""

    selector: BaseSelector
    timers: Timers
    reader: RequestReader
    writer: ResponseWriter
    desk: Desk
