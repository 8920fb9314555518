"""The table of a comparison: one row for each run, fewer columns on a narrow terminal.

`core` and `stand-in` are how busy the strategy's core and the stand-in's were.
"""

from collections.abc import Callable, Mapping, Sequence

from bench import terminal
from bench.compare.result import Run


def show_runs(runs: Sequence[Run]) -> None:
    """Show what was measured."""
    is_wide = terminal.out().width >= terminal.NARROWEST
    names = _COLUMNS if is_wide else ("strategy", *_KEY_COLUMNS)
    columns = {name: _COLUMNS[name] for name in names}
    title, first = "Posting one frame to every connection", ("strategy",)
    terminal.show_table(title, runs, columns, left=first, unwrapped=first)


_COLUMNS: Mapping[str, Callable[[Run], str]] = {
    "strategy": lambda run: run.strategy if run.warm else f"{run.strategy} (cold)",
    "audience": lambda run: f"{run.connections:,}",
    "in flight": lambda run: f"{run.in_flight:,}",
    "wall s": lambda run: f"{run.wall_seconds:,.3f}",
    "± s": lambda run: f"{run.wall_seconds_spread / 2:,.3f}",
    "posts/s": lambda run: f"{run.posts_per_second:,.0f}",
    "µs/post": lambda run: f"{run.cpu_microseconds_per_post:,.1f}",
    "MB": lambda run: f"{run.peak_memory_bytes / 1e6:,.0f}",
    "p99 ms": lambda run: f"{run.latency_ms['p99']:,.0f}",
    "undelivered": lambda run: f"{run.connections - run.delivered:,}",
    "HTTPS": lambda run: f"{run.https_connections:,}",
    "core": lambda run: f"{run.cpu_share:.0%}",
    "stand-in": lambda run: f"{run.stand_in_cpu_share:.0%}{' full' * run.is_stand_in_full}",
}

_KEY_COLUMNS = ("audience", "wall s", "posts/s", "µs/post", "undelivered")
"""What a terminal of 80 columns has room for."""
