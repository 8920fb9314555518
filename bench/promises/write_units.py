"""What the writes of a broadcast cost that is split 16 ways with a large frame."""

from collections.abc import Iterator

from bench.promises.result import Figure
from bench.promises.site import Outage, Site
from bench.promises.unit_meter import UnitMeter

BEFORE_UNITS = 0
"""What the same broadcast cost before the frame had a row of its own, at 1a338cb; 0: unknown."""

_FRAME_KIB = 100
_CONNECTIONS = 12_000
_SLOW = Outage(how="reset", seconds=1, after_posts=1_000_000)


def write_units(site: Site) -> Iterator[Figure]:
    """Yield the units of all writes to the ledger but the budget's."""
    with site.app() as bench:
        bench.suffer(_SLOW, delay_seconds=0.02)
        app, meter = bench.app, UnitMeter()
        app.wire.when_sent.append(meter.hear)
        app.connect(_CONNECTIONS)
        broadcast_id = app.send(message="x" * (_FRAME_KIB * 1024 - 200))
        app.run()
        slices = app.account(broadcast_id).slices
        units = meter.units
    yield Figure(
        what=f"write units of a broadcast in {slices} slices, frame of {_FRAME_KIB} KiB",
        target=f"≤ {BEFORE_UNITS // 5:,} (a fifth of {BEFORE_UNITS:,})",
        source="counted",
        measured=f"{units:,}",
        met=units <= BEFORE_UNITS / 5,
    )
