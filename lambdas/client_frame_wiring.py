"""Builds what answers clients' frames, on the first call.

A client waits for it. The wiring of the broadcast function would import all of the delivery.
"""

import os
import random
from functools import cache, partial
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from botocore.config import Config
from botocore.session import Session

from broadcasting.clock import Clock, Jitter
from clients.positions import PositionReader
from clients.requests import ClientRequests
from settings import ClientFrameSettings
from storage.client_rows import ClientRowsReader
from storage.frames import FrameReader
from storage.idle_connections import close_when_idle
from storage.ledger_table import LedgerTable
from storage.numbered_stream import NumberedStream
from storage.patience import Patience
from storage.plain_query import read_queries_plainly
from storage.stream_counters import StreamCounters
from storage.subscriptions import SubscriptionsTable
from system_clock import SYSTEM_CLOCK

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CLIENT_CONFIG: Final = Config(
    connect_timeout=0.5,
    read_timeout=1.5,
    retries={"mode": "standard", "total_max_attempts": 1},
    parameter_validation=False,
)
"""Short, as a client waits: `Patience` tries again, for some seconds."""


class ClientFrameWiring(NamedTuple):
    """What answers clients' frames."""

    settings: ClientFrameSettings
    requests: ClientRequests
    jitter: Jitter


@cache
def client_frame_wiring() -> ClientFrameWiring:
    """Return what answers clients' frames. Raises SettingsError."""
    return build_client_frames(ClientFrameSettings.read(os.environ), Session(), SYSTEM_CLOCK)


def build_client_frames(
    settings: ClientFrameSettings,
    session: Session,
    clock: Clock,
    *,
    jitter: Jitter = random.random,
) -> ClientFrameWiring:
    """Build what answers clients' frames; its client is the session's."""
    named = CLIENT_CONFIG.merge(Config(user_agent=session.user_agent()))
    client = cast("DynamoDBClient", session.create_client("dynamodb", config=named))
    close_when_idle(client, clock)
    read_queries_plainly(client)
    patience, broadcasts = Patience(clock, jitter), settings.broadcasts_table
    positions = PositionReader(
        FrameReader(client, broadcasts, patience=patience),
        partial(
            NumberedStream,
            table=LedgerTable(client, broadcasts, clock=clock),
            counters=StreamCounters(client, broadcasts, clock=clock),
            clock=clock,
            replay_seconds=settings.replay_seconds,
        ),
        patience=patience,
        replay_seconds=settings.replay_seconds,
        replay_frames=settings.replay_frames,
    )
    requests = ClientRequests(
        SubscriptionsTable(client, settings.connections_table, patience=patience),
        ClientRowsReader(
            client,
            connections_table=settings.connections_table,
            broadcasts_table=broadcasts,
            patience=patience,
        ),
        positions,
        patience=patience,
    )
    return ClientFrameWiring(settings, requests, jitter)
