"""What the writes of a broadcast cost that is split 16 ways with a large frame."""

from collections.abc import Iterator

from bench.promises.result import Figure
from bench.promises.site import Outage, Site
from bench.promises.unit_meter import UnitMeter

BEFORE_UNITS_PER_SLICE = 247
"""What it cost while each split and closing wrote the frame anew: 2,716 units for 11 slices,
counted by this program at 1a338cb."""

_LIMIT = BEFORE_UNITS_PER_SLICE // 5

_FRAME_KIB = 100
_CONNECTIONS = 12_000
_NEVER = Outage(how="reset", seconds=1, after_posts=1_000_000)


def write_units(site: Site) -> Iterator[Figure]:
    """Yield the units of all writes to the ledger but the budget's."""
    with site.app() as bench:
        bench.suffer(_NEVER, delay_seconds=0.02)
        app, meter = bench.app, UnitMeter()
        app.wire.when_sent.append(meter.hear)
        app.connect(_CONNECTIONS)
        broadcast_id = app.send(message="x" * (_FRAME_KIB * 1024 - 200))
        app.run()
        slices = app.account(broadcast_id).slices
        units = meter.units
    per_slice = units / slices
    yield Figure(
        what=f"write units a slice, frame of {_FRAME_KIB} KiB, {slices} slices",
        target=f"≤ {_LIMIT} (a fifth of {BEFORE_UNITS_PER_SLICE})",
        source="counted",
        measured=f"{per_slice:.0f} ({units:,} in all)",
        met=per_slice <= _LIMIT,
    )
