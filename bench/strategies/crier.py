"""Crier's own fan-out, as the broadcast function uses it, over HTTP/2 or over HTTP/1.1.

Over HTTP/2 it offers the server both protocols, as it does in the function, and the stand-in
chooses; for HTTP/1.1 it offers nothing else.
"""

import random
import sys
import time
from collections.abc import Iterable

from bench.compare.job import Job
from bench.compare.measure import Meter
from bench.compare.measurement import Outcome as End
from broadcasting.clock import Clock
from broadcasting.connection import Connection
from broadcasting.outcome import Outcome, Settlement
from broadcasting.pacing.pace import Pace
from delivery.http.endpoint import parse_endpoint
from delivery.http.tls import ALPN, tls_context
from delivery.selector_fan_out import THREADS, SelectorFanOut
from delivery.signing import Credentials
from testbed.audience import KnownAudience

UNPACED = Pace(1e9, 1e9)
_LIMIT_SECONDS = 300
_OFFERS = {"h2": ALPN, "http/1.1": ("http/1.1",)}
_ENDS: dict[Outcome, End] = {Outcome.DELIVERED: "delivered", Outcome.GONE: "gone"}


def run(job: Job, protocol: str) -> None:
    """Do the job and print the measurement."""
    fan_out = make_fan_out(job, protocol)
    for _ in _post(fan_out, job, job.warm_up_audience):
        pass
    if job.pace:  # warming up has emptied its bucket, which is full after an idle time
        time.sleep(job.pace.burst / job.pace.posts_per_second)
    meter = Meter("crier", job)
    meter.begin()
    for settlement in _post(fan_out, job, job.audience):
        meter.note(_end_of(settlement))
    meter.finish()


def make_fan_out(job: Job, protocol: str) -> SelectorFanOut:
    """Return the fan-out of the broadcast function, with the options of a job."""
    pace = Pace(job.pace.posts_per_second, job.pace.burst) if job.pace else UNPACED
    credentials = Credentials(job.access_key, job.secret_key, job.session_token or None)
    return SelectorFanOut(
        parse_endpoint(job.url),
        region=job.region,
        credentials=lambda: credentials,
        tls=tls_context(job.ca, _OFFERS[protocol]),
        pace=pace,
        clock=Clock(time.monotonic, lambda: time.time_ns() // 1_000_000, time.sleep),
        jitter=random.random,
        threads=job.threads or THREADS,
        in_flight=job.in_flight,
    )


def _post(fan_out: SelectorFanOut, job: Job, audience: Iterable[str]) -> Iterable[Settlement]:
    connections = (Connection(connection_id, 1) for connection_id in audience)
    return fan_out.deliver(job.frame, KnownAudience(connections), time.monotonic() + _LIMIT_SECONDS)


def _end_of(settlement: Settlement) -> End:
    return _ENDS.get(settlement.outcome, "throttled" if settlement.throttles else "failed")


if __name__ == "__main__":
    run(Job.from_json(sys.argv[2]), sys.argv[1])
