"""Where the benchmarks find what they start, and leave what they have measured."""

from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench" / "results"
PLOTS = ROOT / "docs" / "img"
BEFORE = ROOT / "build" / "before"
"""Where the release before is unpacked: see `bench.compare.before`."""


def shown(path: Path) -> str:
    """Return a path as a reader knows it: from the repository's root, when it is in there."""
    return str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)
