"""Where promises are measured: the testbed's app on a local AWS, and its environment."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from urllib.parse import urlsplit

import pytest

from crier.local.local_aws import LocalAws
from log import logger
from testbed.function.app import App, Function, make_app
from testbed.function.hostile import Hostile, Outage
from testbed.function.names import Names
from testbed.function.proxy import Proxy
from testbed.stand_in.reaction import Answer

__all__ = ["App", "Function", "Laboratory", "Outage", "open_laboratory"]


@dataclass(frozen=True, slots=True)
class Laboratory:
    """A local AWS on which each measurement has an app of its own."""

    aws: LocalAws

    @contextmanager
    def app(self) -> Iterator["Bench"]:
        """Make an app, its environment and its names; all are as before in the end."""
        with ExitStack() as stack:
            patch = stack.enter_context(pytest.MonkeyPatch.context())
            for name, value in self.aws.endpoint.environment.items():
                patch.setenv(name, value)
            made = make_app(self.aws)
            stack.enter_context(made.log)
            names = Names()
            names.patch(patch)
            yield Bench(made, names, patch, stack, self.aws)


@dataclass(frozen=True, slots=True)
class Bench:
    """One app with what stands around it."""

    app: App
    names: Names
    patch: pytest.MonkeyPatch
    stack: ExitStack
    aws: LocalAws

    def post_to(self, url: str, ca_path: Path | None = None) -> None:
        """Have functions that are made from now on post to a URL."""
        for name, value in self.app.environment(url).items():
            self.patch.setenv(name, value)
        if ca_path:
            self.patch.setenv("AWS_CA_BUNDLE", str(ca_path))

    def suffer(self, outage: Outage, *, delay_seconds: float = 0.005) -> Hostile:
        """Start an endpoint that suffers an outage, and post to it."""
        answer = Answer(200, delay_seconds=delay_seconds)
        one = Hostile(outage, self.app.time, usual=lambda _: answer)
        self.names.when_dialled.append(one.dialled)
        self.stack.enter_context(one)
        self.post_to(one.url)
        return one

    def kill_connections_when_frozen(self) -> None:
        """Have a freeze kill the connections to AWS of functions that are made from now on."""
        proxy = self.stack.enter_context(Proxy(urlsplit(self.aws.endpoint.url).port or 0))
        self.patch.setenv("AWS_ENDPOINT_URL", proxy.url)
        self.app.time.when_frozen.append(proxy.kill)

    def broadcast(self, function: Function | None = None) -> tuple[str, float]:
        """Send a broadcast and have it delivered; return its id and the wall seconds."""
        broadcast_id = self.app.send()
        one = function or Function(self.app)
        began = perf_counter()
        self.app.run(one)
        return broadcast_id, perf_counter() - began


@contextmanager
def open_laboratory(begin: Callable[[str], None]) -> Iterator[Laboratory]:
    """Start the local AWS; what the function logs and publishes is not shown."""
    begin("Starting the local AWS")
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, LocalAws() as aws:
        handler = logger.registered_handler
        shown = handler.setStream(nowhere)  # type: ignore[attr-defined]
        try:
            with redirect_stdout(nowhere):
                yield Laboratory(aws)
        finally:
            handler.setStream(shown)  # type: ignore[attr-defined]
