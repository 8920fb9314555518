"""Where the floors meet: builds what a handler needs, on its first call.

In Lambda that call is made while the handler's module is loaded: see early_building.py. Tests and
benchmarks call `build_broadcast` with a session and a clock of their own. Sessions are botocore's:
importing boto3 besides takes a tenth of a cold start's imports.
"""

import gc
import os
import random
from functools import cache, partial
from typing import TYPE_CHECKING, NamedTuple, cast

from botocore.config import Config
from botocore.httpsession import get_cert_path
from botocore.session import Session

from broadcasting.clock import Clock, Jitter
from broadcasting.pacing.pace import Pace
from delivery.http.endpoint import parse_endpoint
from delivery.http.tls import ALPN, ALPN_OF_HTTP1, tls_context
from delivery.selector_fan_out import SelectorFanOut
from delivery.signing import Credentials
from log import logger
from settings import BroadcastSettings, ConnectionSettings, ConnectSettings
from slices.worker import Worker
from storage.audience_pages import AudiencePages
from storage.budget import PostBudget
from storage.connections import ConnectionsTable
from storage.idle_connections import close_when_idle
from storage.ledger import Ledger
from storage.ledger_table import LedgerTable
from storage.plain_batches import send_batches_plainly
from storage.plain_query import read_queries_plainly
from storage.queues import DeadLetters, SliceQueue
from storage.stream_counters import StreamCounters
from system_clock import SYSTEM_CLOCK

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient

_STORAGE_CONFIG = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 4},
    max_pool_connections=32,
    parameter_validation=False,
)
"""More connections than the shards that are read and the batches that are deleted at once."""

_DOOR_CONFIG = Config(
    connect_timeout=0.5,
    read_timeout=1.5,
    retries={"mode": "standard", "total_max_attempts": 1},
    parameter_validation=False,
)
"""Short, as a client waits: ConnectionsTable itself tries again, for some seconds."""

_QUEUE_CONFIG = Config(
    connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 2}
)
"""Short: a hand-over must end before the invocation does."""

_BUDGET_CONFIG = Config(connect_timeout=0.5, read_timeout=0.5, retries={"total_max_attempts": 1})
"""Shorter still: posts wait for it. PostBudget itself makes a second attempt."""


class BroadcastWiring(NamedTuple):
    """What the broadcast function works with."""

    settings: BroadcastSettings
    clock: Clock
    ledger: Ledger
    worker: Worker
    dead_letters: DeadLetters
    slice_dead_letters: DeadLetters


@cache
def connections_table() -> ConnectionsTable:
    """Return the table that connect and disconnect write to. Raises SettingsError."""
    settings = ConnectionSettings.read(os.environ)
    return build_connections_table(settings, Session(), SYSTEM_CLOCK)


@cache
def needs_user() -> bool:
    """Return whether a client without a user is refused. Raises SettingsError."""
    return ConnectSettings.read(os.environ).needs_user


@cache
def broadcast_wiring() -> BroadcastWiring:
    """Return what the broadcast function works with. Raises SettingsError."""
    settings = BroadcastSettings.read(os.environ)
    wired = build_broadcast(settings, Session(), SYSTEM_CLOCK)
    gc.freeze()  # else each full collection walks over botocore's models, for some 60 ms
    return wired


def build_connections_table(
    settings: ConnectionSettings,
    session: Session,
    clock: Clock,
    *,
    jitter: Jitter = random.random,
) -> ConnectionsTable:
    """Build the table that connect and disconnect write to."""
    client = _dynamodb(session, _DOOR_CONFIG, clock)
    return ConnectionsTable(client, settings.connections_table, clock=clock, jitter=jitter)


def build_broadcast(
    settings: BroadcastSettings,
    session: Session,
    clock: Clock,
    *,
    jitter: Jitter = random.random,
) -> BroadcastWiring:
    """Build what the broadcast function works with; all its clients are the session's."""
    sqs = cast("SQSClient", session.create_client("sqs", config=_QUEUE_CONFIG))
    close_when_idle(sqs, clock)
    dynamodb = _dynamodb(session, _STORAGE_CONFIG, clock)
    read_queries_plainly(dynamodb)
    send_batches_plainly(dynamodb)
    table = LedgerTable(dynamodb, settings.broadcasts_table, clock=clock)
    ledger = Ledger(
        table,
        StreamCounters(dynamodb, settings.broadcasts_table, clock=clock),
        clock=clock,
        jitter=jitter,
        replay_seconds=settings.replay_seconds,
    )
    connections = settings.connections_table
    worker = Worker(
        pages=AudiencePages(dynamodb, connections, clock=clock, jitter=jitter),
        table=ConnectionsTable(dynamodb, connections, clock=clock, jitter=jitter),
        fan_out=_build_fan_out(settings, session, clock, jitter),
        ledger=ledger,
        slice_queue=SliceQueue(sqs, settings.slice_queue_url),
        clock=clock,
        jitter=jitter,
        outage_seconds=settings.outage_seconds,
    )
    return BroadcastWiring(
        settings,
        clock,
        ledger,
        worker,
        DeadLetters(sqs, settings.dead_letter_queue_url),
        DeadLetters(sqs, settings.slice_dead_letter_queue_url),
    )


def _build_fan_out(
    settings: BroadcastSettings, session: Session, clock: Clock, jitter: Jitter
) -> SelectorFanOut:
    pace = Pace(settings.posts_per_second, settings.post_burst)
    dynamodb = _dynamodb(session, _BUDGET_CONFIG, clock)
    return SelectorFanOut(
        parse_endpoint(settings.callback_url),
        region=session.get_config_variable("region"),
        credentials=partial(_credentials, session),
        tls=tls_context(
            settings.ca_bundle or get_cert_path(verify=True),
            ALPN if settings.http2 else ALPN_OF_HTTP1,
        ),
        pace=pace,
        budget=PostBudget(dynamodb, settings.broadcasts_table, pace=pace, clock=clock),
        workers=settings.maximum_concurrency,
        warn=lambda error: logger.warning("posting at a local pace", reason=str(error)),
        clock=clock,
        jitter=jitter,
        in_flight=settings.posts_in_flight,
    )


def _dynamodb(session: Session, config: Config, clock: Clock) -> "DynamoDBClient":
    # Without a name that is given, botocore makes its own twice for each request, for 0.1 ms.
    named = config.merge(Config(user_agent=session.user_agent()))
    client = cast("DynamoDBClient", session.create_client("dynamodb", config=named))
    close_when_idle(client, clock)
    return client


def _credentials(session: Session) -> Credentials | None:
    """Return the credentials of the moment; botocore rotates them."""
    found = session.get_credentials()
    frozen = found.get_frozen_credentials() if found else None
    if not frozen or not frozen.access_key or not frozen.secret_key:
        return None
    return Credentials(frozen.access_key, frozen.secret_key, frozen.token)
