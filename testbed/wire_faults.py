"""Faults at botocore's wire: throttling, unprocessed items, dropped answers, refusals, death.

`WireFaults` is put on botocore's clients by tests, and by `start` on those of some local functions,
whose faults are in a file that can change while they run. The functions' processes load
this file alone: it imports nothing of ours, and so it is one file of more than 200 lines.
"""

import hashlib
import json
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ReadTimeoutError
from botocore.httpsession import URLLib3Session
from botocore.session import Session

STARTUP = Path(__file__)
"""What a `LocalAws` starts the functions' processes with, so that they suffer faults."""

FUNCTIONS = ("Broadcast", "ClientFrame", "Disconnect")
"""The local functions that may suffer faults, by a part of their names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WireFault:
    """What happens to a request, of those of an operation whose body holds a text.

    kind    throttle, refuse (both: 400), cancel (a transaction, 400), break (500), unprocessed
            (BatchWriteItem: nothing is done), lose (it is done, and its answer dropped),
            kill_before, kill_after (it is done)
    share   of the requests, 0 to 1
    times   how often at most; 0 for always
    code    what `throttle` and `refuse` are called, where it is not the usual
    reasons why a transaction is cancelled: a code for each of its rows, "None" for those left out
    after_seconds, for_seconds
            when it happens, counted from the first request that it might happen to; 0 for at once
            and for ever
    function
            in the processes of which local function: a part of its name
    """

    operation: str
    kind: str
    body: str = ""
    share: float = 1.0
    times: int = 0
    code: str = ""
    reasons: tuple[str, ...] = ()
    after_seconds: float = 0.0
    for_seconds: float = 0.0
    function: str = "Broadcast"

    def concerns(self, operation: str, body: str) -> bool:
        """Whether it may happen to a request."""
        return operation == self.operation and self.body in body

    def is_on(self, passed_seconds: float, times: int) -> bool:
        """Whether it may happen; both arguments are counted from its first request."""
        late_seconds = passed_seconds - self.after_seconds
        is_over = bool(self.for_seconds) and late_seconds >= self.for_seconds
        return late_seconds >= 0 and not is_over and not (self.times and times >= self.times)


def die() -> None:
    """End this process as the machine under it would."""
    os.kill(os.getpid(), signal.SIGKILL)


class WireFaults:
    """Injects faults into the requests of clients; `may_happen` is asked before each."""

    def __init__(
        self,
        faults: Callable[[], list[WireFault]],
        *,
        seed: int | None = None,
        may_happen: Callable[[WireFault], bool],
        crash: Callable[[], None] = die,
    ) -> None:
        self._faults = faults
        self._random = random.Random(seed)  # noqa: S311 - repeatable, not secret
        self._crash = crash
        self._may_happen = may_happen
        self._lock = threading.Lock()
        self._wire = URLLib3Session()

    def watch(self, client: Any) -> None:
        """Stand between a client and its wire."""
        service = client.meta.service_model.service_id.hyphenize()
        for operation in client.meta.service_model.operation_names:
            hook = _Hook(self, operation)
            client.meta.events.register(f"before-send.{service}.{operation}", hook)

    def answer(self, operation: str, request: Any) -> Any:
        """Return what a request is answered in place of the wire's answer; None for that."""
        body = request.body or b""
        text = body if isinstance(body, str) else body.decode(errors="replace")
        with self._lock:
            fault = self._drawn(operation, text)
        return self._happen(fault, request, text) if fault else None

    def _drawn(self, operation: str, body: str) -> WireFault | None:
        for fault in self._faults():
            is_drawn = fault.concerns(operation, body) and self._random.random() < fault.share
            if is_drawn and self._may_happen(fault):
                return fault
        return None

    def _happen(self, fault: WireFault, request: Any, body: str) -> Any:
        match fault.kind:
            case "throttle":
                return _error(request, 400, fault.code or "ThrottlingException")
            case "refuse":
                return _error(request, 400, fault.code or "AccessDeniedException")
            case "cancel":
                return _cancelled(request, body, fault.reasons)
            case "break":
                return _error(request, 500, "InternalServerError")
            case "unprocessed":
                items = json.loads(body)["RequestItems"]
                return _answer(request, 200, {"UnprocessedItems": items})
            case "lose" | "kill_after":
                self._wire.send(request)
        if fault.kind in ("kill_before", "kill_after"):
            self._crash()
        raise ReadTimeoutError(endpoint_url=request.url, error="injected")


@dataclass(frozen=True, slots=True)
class _Hook:
    faults: WireFaults
    operation: str

    def __call__(self, request: Any, **_: object) -> Any:
        return self.faults.answer(self.operation, request)


def _say_something(**_: object) -> None:
    """Print a line: the local AWS waits 50 ms for an invocation that prints none."""
    sys.stderr.write("\n")


class _Body:
    def __init__(self, content: bytes) -> None:
        self._content = content

    def stream(self, **_: object) -> Iterator[bytes]:
        yield self._content


def _error(request: Any, status: int, code: str) -> AWSResponse:
    return _answer(request, status, {"__type": f"com.amazonaws#{code}", "message": "injected"})


def _cancelled(request: Any, body: str, codes: tuple[str, ...]) -> AWSResponse:
    """Answer as DynamoDB does when it cancels a transaction: a reason for each of its rows.

    https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
    """
    count = len(json.loads(body)["TransactItems"])
    padded = [*codes, *["None"] * count][:count]
    reasons = [
        {"Code": code} if code == "None" else {"Code": code, "Message": "injected"}
        for code in padded
    ]
    message = (
        "Transaction cancelled, please refer cancellation reasons for specific reasons "
        f"[{', '.join(padded)}]"
    )
    kind = "com.amazonaws.dynamodb.v20120810#TransactionCanceledException"
    content = {"__type": kind, "CancellationReasons": reasons, "Message": message}
    return _answer(request, 400, content)


def _answer(request: Any, status: int, content: Any) -> AWSResponse:
    return AWSResponse(request.url, status, HTTPHeaders(), _Body(json.dumps(content).encode()))


def to_json(faults: list[WireFault]) -> str:
    """Return faults as the file holds them."""
    return json.dumps([asdict(fault) for fault in faults])


class FaultFile:
    """The file of faults in a folder that all processes share; what has happened is beside it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "faults.json"

    def set(self, *faults: WireFault) -> None:
        """Have these faults happen from now on, and no other."""
        fresh = self._path.with_suffix(".new")
        fresh.write_text(to_json(list(faults)))
        fresh.replace(self._path)

    def read(self) -> list[WireFault]:
        """Return the faults of now."""
        try:
            rows = json.loads(self._path.read_text())
        except FileNotFoundError:
            return []
        names = {one.name for one in fields(WireFault)}
        return [_fault_of({name: row[name] for name in names & row.keys()}) for row in rows]

    def happened(self) -> dict[str, int]:
        """Return how often each kind has happened, in all processes."""
        counts: dict[str, int] = {}
        for mark in self._path.parent.glob("fault-*"):
            kind = mark.name.split("-")[1]
            counts[kind] = counts.get(kind, 0) + 1
        return counts

    def may_happen(self, fault: WireFault) -> bool:
        """Take one of the times that a fault may happen, whichever process asks first."""
        if not fault.is_on(self._passed_seconds(fault), 0):
            return False
        number = 0
        while not fault.times or number < fault.times:
            try:
                self._mark(fault, number).touch(exist_ok=False)
            except FileExistsError:
                number += 1
                continue
            return True
        return False

    def _passed_seconds(self, fault: WireFault) -> float:
        """Return how long ago a fault's first request was."""
        if not fault.after_seconds and not fault.for_seconds:
            return 0.0
        mark = self._path.parent / f"first-{_name(fault)}"
        with suppress(FileExistsError):
            mark.touch(exist_ok=False)
        return time.time() - mark.stat().st_mtime

    def _mark(self, fault: WireFault, number: int) -> Path:
        """Return the file that says that a fault has happened once more."""
        name = f"fault-{fault.kind}-{number}"
        if fault.times:  # counted by all processes together
            return self._path.parent / f"{name}-{_name(fault)}"
        return self._path.parent / f"{name}-{os.getpid()}"


def _fault_of(row: dict[str, Any]) -> WireFault:
    """Return the fault that a row of the file describes: JSON has lists for tuples."""
    return WireFault(**row | {"reasons": tuple(row.get("reasons", ()))})


def _name(fault: WireFault) -> str:
    """Return a name for a fault that all processes give it."""
    return hashlib.sha256(to_json([fault]).encode()).hexdigest()[:16]


def start(function: str, folder: Path) -> None:
    """Begin a process of a local function: see `LocalAws.startup`."""
    if any(one in function for one in FUNCTIONS):
        _install(FaultFile(folder), function)
    if "Broadcast" in function:
        (folder / f"worker-{os.getpid()}").touch()


def _install(file: FaultFile, function: str) -> None:
    """Have the clients that this process makes from now on suffer a file's faults of a function."""

    def own() -> list[WireFault]:
        return [one for one in file.read() if one.function in function]

    faults = WireFaults(own, may_happen=file.may_happen)
    make = Session.create_client

    def client(session: Session, *arguments: Any, **options: Any) -> Any:
        made = make(session, *arguments, **options)
        faults.watch(made)
        if "ClientFrame" in function:  # it logs nothing while all is well
            made.meta.events.register("before-send", _say_something)
        return made

    Session.create_client = client  # type: ignore[method-assign,assignment]
