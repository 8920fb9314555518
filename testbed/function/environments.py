"""The environments of a test: each has a wiring, clients and a clock of its own, as on Lambda."""

import gc
import os
import time
from contextlib import ExitStack
from functools import cached_property
from typing import Any, Protocol

from botocore.session import Session

from handlers.broadcast import serve
from handlers.connect import admit
from handlers.disconnect import forget
from handlers.events import records_of
from settings import BroadcastSettings, ConnectionSettings
from storage.connections import ConnectionsTable
from testbed.function.clocks import Time, app_clock
from testbed.function.event_source import EventSource
from testbed.function.observed import Wire
from testbed.wire_faults import WireFault, WireFaults
from wiring import BroadcastWiring, build_broadcast, build_connections_table


class Host(Protocol):
    """What environments share: the app of a test, as they see it."""

    time: Time
    source: EventSource
    wire: Wire
    faults: list[WireFault]
    resources: ExitStack
    remaining_ms: int
    invocations: int
    crashes: int

    def may_happen(self, fault: WireFault) -> bool:
        """Count a fault, in any environment."""
        ...


class Crash(BaseException):
    """The end of an environment: nothing but what awaits the event may catch it."""


def crash() -> None:
    """Die here."""
    raise Crash


class Function:
    """One environment of the broadcast function."""

    def __init__(self, app: Host, *, skew_seconds: float = 0.0, seed: int = 1) -> None:
        self.app = app
        self.skew_seconds = skew_seconds
        self.faults = _faults(app, seed)

    @cached_property
    def wired(self) -> BroadcastWiring:
        """What it works with, built at the first event, as its environment is by then."""
        session = _session(self.faults, self.app)
        clock = app_clock(self.app.time, self.skew_seconds)
        built = build_broadcast(BroadcastSettings.read(os.environ), session, clock)
        gc.freeze()  # as `broadcast_wiring` does
        self.app.resources.callback(built.worker.fan_out.close)  # type: ignore[attr-defined]
        return built

    def invoke(self, event: dict[str, Any]) -> list[str] | None:
        """Return the ids of messages that shall come again, None when it died."""
        self.app.invocations += 1
        ends_at = time.monotonic() + self.app.remaining_ms / 1000
        try:
            records, wired = records_of(event), self.wired
            answer = serve(records, wired, max(0, int((ends_at - time.monotonic()) * 1000)))
        except Crash:
            self.app.crashes += 1
            return None
        return [one["itemIdentifier"] for one in answer["batchItemFailures"]]


class ConnectFunctions:
    """An environment of the connect and one of the disconnect function."""

    def __init__(self, app: Host) -> None:
        self._app = app

    @cached_property
    def _table(self) -> ConnectionsTable:
        session = _session(_faults(self._app, 1), self._app)
        clock = app_clock(self._app.time)
        return build_connections_table(ConnectionSettings.read(os.environ), session, clock)

    def connect(self, name: str, user: str | None = None) -> int:
        """Have a connection announced; return the status of the answer."""
        answer = admit(_event("CONNECT", name, user), lambda: self._table, lambda: False)
        return int(answer["statusCode"])

    def disconnect(self, name: str, user: str | None = None) -> int:
        """Have a connection's end announced."""
        return forget(_event("DISCONNECT", name, user), lambda: self._table)["statusCode"]


def _event(event_type: str, name: str, user: str | None) -> dict[str, Any]:
    at = int(time.time() * 1000)
    context = {"eventType": event_type, "connectionId": name, "connectedAt": at}
    authorizer = {"authorizer": {"principalId": user}} if user else {}
    return {"requestContext": {**context, **authorizer}}


def _session(faults: WireFaults, app: Host) -> Session:
    """Return a session of one environment, whose clients suffer the app's faults."""

    class Watched(Session):
        def create_client(self, *arguments: Any, **options: Any) -> Any:
            made = super().create_client(*arguments, **options)
            made.meta.events.register("provide-client-params.sqs.SendMessage", hurry)
            made.meta.events.register("before-call", called)
            made.meta.events.register_first("before-send", sent)
            faults.watch(made)
            app.resources.callback(made.close)
            return made

    def hurry(params: dict[str, Any], **_: object) -> None:
        app.source.hold_back(params["MessageBody"], params.pop("DelaySeconds", 0))

    def called(model: Any, **_: object) -> None:
        app.wire.called(model.name)

    def sent(request: Any, event_name: str, **_: object) -> None:
        app.wire.sent(event_name.rsplit(".", 1)[-1], request.body)

    return Watched()


def _faults(app: Host, seed: int) -> WireFaults:
    return WireFaults(lambda: app.faults, seed=seed, crash=crash, may_happen=app.may_happen)
