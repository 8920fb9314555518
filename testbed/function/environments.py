"""The environments of a test: each has modules, clients and a clock of its own, as on Lambda."""

import importlib.util
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import ModuleType
from typing import Any, Protocol

import boto3

from crier.paths import LAMBDAS
from testbed.function.clocks import Clock, Time
from testbed.function.context import Context
from testbed.function.event_source import EventSource
from testbed.function.observed import Wire
from testbed.wire_faults import WireFault, WireFaults


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
        self._wiring = app.resources.enter_context(_load("wiring"))
        self._wiring.__dict__["time"] = Clock(app.time, skew_seconds)
        self._wiring.__dict__["boto3"] = _Boto3(self.faults, app)
        self._broadcast = app.resources.enter_context(_load("handlers.broadcast"))
        self._broadcast.__dict__["broadcast_wiring"] = self._wiring.broadcast_wiring
        app.resources.callback(self._close)

    def invoke(self, event: dict[str, Any]) -> list[str] | None:
        """Return the ids of messages that shall come again, None when it died."""
        self.app.invocations += 1
        context = Context.lasting(self.app.remaining_ms / 1000)
        try:
            answer = self._broadcast.handler(event, context)
        except Crash:
            self.app.crashes += 1
            return None
        return [one["itemIdentifier"] for one in answer["batchItemFailures"]]

    def _close(self) -> None:
        """End what Lambda would keep for the next call."""
        if self._wiring.broadcast_wiring.cache_info().currsize:
            self._wiring.broadcast_wiring().worker.fan_out.close()


class ConnectFunctions:
    """An environment of the connect and one of the disconnect function."""

    def __init__(self, app: Host) -> None:
        wiring = app.resources.enter_context(_load("wiring"))
        wiring.__dict__["boto3"] = _Boto3(_faults(app, 1), app)
        self._handlers = {}
        for name in ("connect", "disconnect"):
            door = app.resources.enter_context(_load(f"handlers.{name}"))
            door.__dict__["connections_table"] = wiring.connections_table
            self._handlers[name] = door.handler

    def connect(self, name: str) -> int:
        """Have a connection announced; return the status of the answer."""
        return self._answer("connect", name)

    def disconnect(self, name: str) -> int:
        """Have a connection's end announced."""
        return self._answer("disconnect", name)

    def _answer(self, door: str, name: str) -> int:
        at = int(time.time() * 1000)
        context = {"eventType": door.upper(), "connectionId": name, "connectedAt": at}
        event = {"requestContext": context}
        return int(self._handlers[door](event, None)["statusCode"])


class _Boto3:
    """What one environment knows as the module `boto3`."""

    def __init__(self, faults: WireFaults, app: Host) -> None:
        class Session(boto3.Session):
            def client(self, *arguments: Any, **options: Any) -> Any:
                made = super().client(*arguments, **options)
                made.meta.events.register("provide-client-params.sqs.SendMessage", hurry)
                made.meta.events.register("before-call", called)
                made.meta.events.register_first("before-send", sent)
                faults.watch(made)
                app.resources.callback(made.close)
                return made

        def hurry(params: dict[str, Any], **_: object) -> None:
            app.source.rest(params["MessageBody"], params.pop("DelaySeconds", 0))

        def called(model: Any, **_: object) -> None:
            app.wire.called(model.name)

        def sent(request: Any, event_name: str, **_: object) -> None:
            app.wire.sent(event_name.rsplit(".", 1)[-1], request.body)

        self.Session = Session
        self.client = Session().client


def _faults(app: Host, seed: int) -> WireFaults:
    return WireFaults(lambda: app.faults, seed=seed, crash=crash, may_happen=app.may_happen)


@contextmanager
def _load(module: str) -> Iterator[ModuleType]:
    """Load a module of the function anew: every environment has its own."""
    name = f"{module}_{secrets.token_hex(4)}"
    spec = importlib.util.spec_from_file_location(
        name, LAMBDAS.joinpath(*module.split(".")).with_suffix(".py")
    )
    assert spec is not None
    assert spec.loader is not None
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[name] = loaded  # dataclasses look their module up
    try:
        spec.loader.exec_module(loaded)
        yield loaded
    finally:
        del sys.modules[name]
