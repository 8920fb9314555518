"""Where the floors meet: builds what a handler needs on its first call, never at import."""

import os
import random
import time
from dataclasses import dataclass
from functools import cache

import boto3
from botocore.config import Config

from broadcasting.clock import Clock
from delivery.boto3_fan_out import CONNECT_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS, Boto3FanOut
from settings import BroadcastSettings, ConnectionSettings
from storage.connections import ConnectionsTable
from storage.queues import DeadLetters, SliceQueue
from worker import Worker

_STORAGE_CONFIG = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "standard", "total_max_attempts": 4},
    max_pool_connections=32,
)
"""More connections than the shards that are read and the batches that are deleted at once."""

_QUEUE_CONFIG = Config(
    connect_timeout=1, read_timeout=2, retries={"mode": "standard", "total_max_attempts": 2}
)
"""Short: a hand-over must end before the invocation does."""


@dataclass(frozen=True, slots=True)
class BroadcastWiring:
    """What the broadcast function works with."""

    settings: BroadcastSettings
    clock: Clock
    worker: Worker
    dead_letters: DeadLetters
    slice_dead_letters: DeadLetters


@cache
def connections_table() -> ConnectionsTable:
    """Return the table that connect and disconnect write to. Raises SettingsError."""
    settings = ConnectionSettings.read(os.environ)
    client = boto3.client("dynamodb", config=_STORAGE_CONFIG)
    return ConnectionsTable(client, settings.connections_table)


@cache
def broadcast_wiring() -> BroadcastWiring:
    """Return what the broadcast function works with. Raises SettingsError."""
    settings = BroadcastSettings.read(os.environ)
    clock = Clock(time.monotonic, lambda: time.time_ns() // 1_000_000, random.random)
    sqs = boto3.client("sqs", config=_QUEUE_CONFIG)
    worker = Worker(
        table=ConnectionsTable(
            boto3.client("dynamodb", config=_STORAGE_CONFIG), settings.connections_table
        ),
        fan_out=_fan_out(settings, clock),
        slice_queue=SliceQueue(sqs, settings.slice_queue_url),
        clock=clock,
    )
    return BroadcastWiring(
        settings,
        clock,
        worker,
        DeadLetters(sqs, settings.dead_letter_queue_url),
        DeadLetters(sqs, settings.slice_dead_letter_queue_url),
    )


def _fan_out(settings: BroadcastSettings, clock: Clock) -> Boto3FanOut:
    """Build the client with a connection for each thread, and leave retrying to the fan-out."""
    client = boto3.client(
        "apigatewaymanagementapi",
        endpoint_url=settings.callback_url,
        config=Config(
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            read_timeout=READ_TIMEOUT_SECONDS,
            retries={"total_max_attempts": 1},
            max_pool_connections=settings.workers,
        ),
    )
    return Boto3FanOut(client, workers=settings.workers, clock=clock)
