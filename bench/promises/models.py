"""What is modelled, or measured by another verb: the targets are named here all the same."""

from collections.abc import Iterator

from bench.promises.result import Figure
from bench.promises.site import Site


def models(_: Site) -> Iterator[Figure]:
    """Yield the targets that nothing measures here yet."""
    yield Figure(
        what="13 slices with frames of 127 KiB closed within 0.3 s, 1,000 units/s",
        target="all closed, 0 twice",
        source="modelled",
    )
    yield Figure(
        what="50 broadcasts opened at once in one channel",
        target="all within 3 s, none given up",
        source="modelled",
    )
    yield Figure(
        what="make bench-quick against the release before",
        target="no row slower by more than 5 %",
        source="timed",
    )
