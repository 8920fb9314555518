"""What the writes of a broadcast cost that is split 16 ways with a frame of 100 KiB."""

from collections.abc import Iterator

from bench.promises.laboratory import Laboratory, Outage
from bench.promises.unit_meter import UnitMeter
from bench.target import Target
from testbed.model.ledger_scenes import as_before, requests_of_a_split_broadcast
from testbed.units import write_units as units_of

BEFORE_UNITS_PER_SLICE = 247
"""What it cost while each split and closing wrote the frame anew: 2,716 units for 11 slices,
counted by this program at 1a338cb."""

_FIFTH = 5
_LIMIT = BEFORE_UNITS_PER_SLICE // _FIFTH

_FRAME_KIB = 100
_CONNECTIONS = 12_000
_NEVER = Outage(how="reset", seconds=1, after_posts=1_000_000)


def write_units(laboratory: Laboratory) -> Iterator[Target]:
    """Yield the units of the ledger's code alone, and of all writes of the function."""
    yield _of_ledger()
    yield _of_function(laboratory)


def _of_ledger() -> Target:
    """Count what the ledger writes for 16 slices, and what it would have written before."""
    requests = requests_of_a_split_broadcast()
    now = sum(units_of(*one) for one in requests)
    before = sum(units_of(*as_before(one)) for one in requests)
    return Target(
        name=f"write units of a broadcast in 16 slices, frame of {_FRAME_KIB} KiB",
        target=f"≤ {before / _FIFTH:,.0f} (a fifth of {before:,.0f})",
        source="counted",
        figure=f"{now:,.0f} (1/{before / now:.1f})",
        met=now <= before / _FIFTH,
    )


def _of_function(laboratory: Laboratory) -> Target:
    """Count the units of all writes to the ledger but the budget's, as they are sent."""
    with laboratory.app() as bench:
        bench.suffer(_NEVER, delay_seconds=0.02)
        app, meter = bench.app, UnitMeter()
        app.wire.when_sent.append(meter.count)
        app.connect(_CONNECTIONS)
        broadcast_id = app.send(message="x" * (_FRAME_KIB * 1024 - 200))
        app.run()
        slices = app.account(broadcast_id).slices
        units = meter.units
    per_slice = units / slices
    return Target(
        name=f"write units a slice, frame of {_FRAME_KIB} KiB, {slices} slices",
        target=f"≤ {_LIMIT} (a fifth of {BEFORE_UNITS_PER_SLICE})",
        source="counted",
        figure=f"{per_slice:.0f} ({units:,} in all)",
        met=per_slice <= _LIMIT,
    )
