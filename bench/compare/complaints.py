"""What a strategy and the stand-in have counted in one run: both must agree."""

from collections.abc import Iterator

from bench.compare.job import Job
from bench.compare.measurement import Measurement
from testbed.stand_in.behaviour import Behaviour
from testbed.stand_in.report import Report


def complaints(
    job: Job, behaviour: Behaviour, measured: Measurement, report: Report, protocol: str
) -> Iterator[str]:
    """Yield how they disagree; nothing when every connection was posted to, and counted once.

    Which connections are gone or have a full buffer is known beforehand, and all others must be
    reached: so this holds only for behaviours without random faults.
    """
    gone, full = _unreachable(job, behaviour)
    pairs = {
        "connections": (measured.connections, job.connections),
        "outcomes in all": (_outcomes(measured), job.connections),
        "delivered, as the stand-in counted": (measured.delivered, report.delivered),
        "different connections reached": (report.connections_reached, measured.delivered),
        "delivered, missing ones none": (measured.delivered, job.connections - gone - full),
        "gone": (measured.gone, gone),
        "duplicates": (report.duplicates, 0),
        "malformed requests": (report.malformed, 0),
        "unsigned requests": (report.unsigned, 0),
        f"posts that did not speak {protocol}": (report.posts - _spoken(report, protocol), 0),
    }
    for what, (found, expected) in pairs.items():
        if found != expected:
            yield f"{what}: found {found:,}, expected {expected:,}"


def _spoken(report: Report, protocol: str) -> int:
    return report.posts_by_protocol.get(protocol, 0)


def _outcomes(measured: Measurement) -> int:
    return measured.delivered + measured.gone + measured.failed + measured.throttled


def _unreachable(job: Job, behaviour: Behaviour) -> tuple[int, int]:
    if not (behaviour.gone_share or behaviour.full_buffer_share):
        return 0, 0
    gone = full = 0
    for connection_id in job.audience:
        gone += behaviour.is_gone(connection_id)
        full += behaviour.is_full(connection_id)
    return gone, full
