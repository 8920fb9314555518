"""Runs, measurements and reports to test with."""

from typing import Any

from bench.compare.job import Job
from bench.compare.measurement import Measurement
from bench.compare.result import Run
from testbed.stand_in.report import Report


def a_job(**changes: Any) -> Job:
    """A job for three connections, with these changes."""
    facts: dict[str, Any] = {
        "url": "https://127.0.0.1:1/prod",
        "ca": None,
        "region": "eu-central-1",
        "access_key": "key",
        "secret_key": "secret",
        "session_token": "token",
        "connections": 3,
        "warm_up": 2,
        "frame": "{}",
        "in_flight": 1,
    }
    return Job(**facts | changes)


def a_measurement(**changes: Any) -> Measurement:
    """Three connections, all delivered, with these changes."""
    facts: dict[str, Any] = {
        "strategy": "boto3-threads",
        "connections": 3,
        "wall_seconds": 0.5,
        "cpu_seconds": 0.25,
        "peak_memory_bytes": 40_000_000,
        "delivered": 3,
        "gone": 0,
        "failed": 0,
        "throttled": 0,
        "latency_ms": {"p50": 20.0, "p95": 30.0, "p99": 40.0, "max": 50.0},
        "curve": ((20.0, 1), (30.0, 2), (50.0, 3)),
    }
    return Measurement(**facts | changes)


def a_report(**changes: Any) -> Report:
    """What the stand-in saw of `a_measurement`, with these changes."""
    facts: dict[str, Any] = {
        "posts": 3,
        "answers": {200: 3},
        "delivered": 3,
        "duplicates": 0,
        "connections_reached": 3,
        "malformed": 0,
        "unsigned": 0,
        "http_connections_opened": 1,
        "handshakes": 1,
        "posts_by_protocol": {"h2": 3},
        "connections_by_protocol": {"h2": 1},
        "most_streams": 2,
        "cpu_seconds": 0.125,
        "wall_seconds": 0.6,
    }
    return Report(**facts | changes)


def a_run(strategy: str = "crier", **changes: Any) -> Run:
    """3,000 connections in 0.15 s, 512 in flight, with these changes."""
    facts: dict[str, Any] = {
        "strategy": strategy,
        "protocol": "h2" if strategy.startswith("crier") else "http/1.1",
        "connections": 3_000,
        "in_flight": 512,
        "warm": True,
        "wall_seconds": 0.15,
        "wall_seconds_fastest": changes.get("wall_seconds", 0.15),
        "wall_seconds_spread": 0.01,
        "posts_per_second": 20_000.0,
        "cpu_microseconds_per_post": 40.0,
        "peak_memory_bytes": 40_000_000,
        "delivered": 3_000,
        "gone": 0,
        "failed": 0,
        "throttled": 0,
        "latency_ms": {"p50": 80.0, "p95": 140.0, "p99": 145.0, "max": 150.0},
        "curve": ((25.0, 1), (80.0, 1_500), (150.0, 3_000)),
        "repeats": 5,
        "https_connections": 8,
        "cpu_share": 0.6,
        "stand_in_cpu_share": 0.5,
    }
    return Run(**facts | changes)
