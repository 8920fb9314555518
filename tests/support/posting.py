"""Both ways of posting, pointed at a stand-in, with the patience of tests."""

import random
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import boto3
from botocore.config import Config

from broadcasting.clock import Clock
from broadcasting.connection import Connection
from broadcasting.outcome import Outcome, Settlement
from broadcasting.pacing.budget import Budget
from broadcasting.pacing.pace import Pace
from broadcasting.retry import Backoff
from delivery.fan_out import FanOut, Watch
from delivery.http.endpoint import parse_endpoint
from delivery.http.pool import Timeouts
from delivery.http.tls import tls_context
from delivery.selector_fan_out import SelectorFanOut
from delivery.signing import Credentials
from testbed.audience import KnownAudience
from testbed.boto3_fan_out import Boto3FanOut
from testbed.stand_in.reaction import Answer

REGION = "eu-central-1"
CREDENTIALS = Credentials("AKIDEXAMPLE", "secret")
CLOCK = Clock(time.monotonic, lambda: time.time_ns() // 1_000_000, time.sleep)
OLD_MS = CLOCK.epoch_ms() - 600_000
FRAME = '{"id":"b1","message":"grüße"}'
TRIES = 3
IN_FLIGHT = 32
"""How many posts the fast fan-out has under way at once, unless told."""
BACKOFF = Backoff(tries=TRIES, base_seconds=0.001, cap_seconds=0.01)
PERSISTENT = Backoff(tries=20, base_seconds=0.001, cap_seconds=0.01)
"""Where many HTTP connections are about to die, a post may meet several of them in a row."""
PATIENT = Timeouts(connect_seconds=30.0, read_seconds=30.0)
"""What would come does not time out: the machine may be busy."""
IMPATIENT = Timeouts(connect_seconds=30.0, read_seconds=0.3)
UNPACED = Pace(posts_per_second=1e6, burst=1e6)
LONG_SECONDS = 60.0
"""A deadline that only a test which fails would meet."""


def connections(number_of: int, *, connected_at: int = OLD_MS) -> list[Connection]:
    """Return a number of connections, `c0=` and so on."""
    return [Connection(f"c{number}=", connected_at) for number in range(number_of)]


def number_of(connection_id: str) -> int:
    """Return the number in the id of one of `connections`."""
    return int(connection_id[1:-1])


def answer(status: int) -> Answer:
    """Return the service's kind of answer for a status."""
    if status == 200:
        return Answer(200)
    headers = (("x-amzn-ErrorType", "InjectedException"),)
    return Answer(status, body=b'{"message":"injected"}', headers=headers)


@contextmanager
def selector_fan_out(
    url: str,
    ca_path: Path | None = None,
    *,
    threads: int = 2,
    in_flight: int = IN_FLIGHT,
    timeouts: Timeouts = PATIENT,
    backoff: Backoff = BACKOFF,
    pace: Pace = UNPACED,
    clock: Clock = CLOCK,
    credentials: Callable[[], Credentials | None] = lambda: CREDENTIALS,
    budget: Budget | None = None,
) -> Iterator[SelectorFanOut]:
    """Make the fast fan-out, and close it."""
    fan_out = SelectorFanOut(
        parse_endpoint(url),
        region=REGION,
        credentials=credentials,
        tls=tls_context(str(ca_path) if ca_path else None),
        pace=pace,
        clock=clock,
        jitter=random.random,
        threads=threads,
        in_flight=in_flight,
        backoff=backoff,
        timeouts=timeouts,
        budget=budget,
    )
    try:
        yield fan_out
    finally:
        fan_out.close()


@cache
def _session() -> boto3.Session:
    return boto3.Session(
        aws_access_key_id=CREDENTIALS.access_key,
        aws_secret_access_key=CREDENTIALS.secret_key,
        region_name=REGION,
    )


@contextmanager
def boto3_fan_out(
    url: str, ca_path: Path | None = None, *, workers: int = 8
) -> Iterator[Boto3FanOut]:
    """Make the reference fan-out with a real client, and close it."""
    config = Config(
        connect_timeout=PATIENT.connect_seconds,
        read_timeout=PATIENT.read_seconds,
        retries={"total_max_attempts": 1},
        max_pool_connections=workers,
    )
    client = _session().client(
        "apigatewaymanagementapi",
        endpoint_url=url,
        verify=str(ca_path) if ca_path else None,
        config=config,
    )
    fan_out = Boto3FanOut(
        client, workers=workers, clock=CLOCK, jitter=random.random, backoff=BACKOFF
    )
    try:
        yield fan_out
    finally:
        fan_out._threads.shutdown()
        client.close()


@dataclass
class Delivery:
    """What one call of `deliver` took, yielded and raised."""

    settlements: list[Settlement] = field(default_factory=list)
    taken: list[Connection] = field(default_factory=list)
    watch: Watch = field(default_factory=Watch)
    error: Exception | None = None

    def check(self) -> None:
        """Assert that each connection that was taken has ended exactly once, and no other one."""
        ended = Counter(id(settlement.connection) for settlement in self.settlements)
        assert ended == Counter(id(connection) for connection in self.taken)

    def ids(self, outcome: Outcome) -> set[str]:
        """Return the ids of the connections with this outcome."""
        return {one.connection.id for one in self.settlements if one.outcome is outcome}

    def facts(self) -> set[tuple[Outcome, int, int]]:
        """Return the outcomes, tries and throttles that there are."""
        return {(one.outcome, one.tries, one.throttles) for one in self.settlements}

    def reasons(self) -> set[str]:
        """Return the reasons that there are."""
        return {one.reason for one in self.settlements}


def deliver(
    fan_out: FanOut,
    audience: Iterable[Connection],
    *,
    frame: str = FRAME,
    seconds: float = LONG_SECONDS,
    watch: Watch | None = None,
) -> Delivery:
    """Deliver a frame, and check that every connection taken has exactly one settlement."""
    delivery = Delivery(watch=watch or Watch())

    def note() -> Iterator[Connection]:
        for connection in audience:
            delivery.taken.append(connection)
            yield connection

    try:
        until = CLOCK.monotonic() + seconds
        for settlement in fan_out.deliver(
            frame, KnownAudience(note()), until, watch=delivery.watch
        ):
            delivery.settlements.append(settlement)
    except Exception as error:  # noqa: BLE001 - the test looks at it
        delivery.error = error
    delivery.check()
    return delivery


def once(ids: Iterable[str]) -> Mapping[str, int]:
    """Return what a stand-in has received when each id got one message."""
    return dict.fromkeys(ids, 1)
