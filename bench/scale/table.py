"""The table of what was counted: one row for each size."""

from collections.abc import Callable, Mapping, Sequence

from bench import terminal
from bench.scale.prices import AS_OF
from bench.scale.result import Broadcast


def show(broadcasts: Sequence[Broadcast]) -> None:
    """Show what was counted, and what it costs."""
    terminal.show_table(f"One broadcast, counted; dollars as of {AS_OF}", broadcasts, _COLUMNS)


_COLUMNS: Mapping[str, Callable[[Broadcast], str]] = {
    "connections": lambda one: f"{one.connections:,}",
    "function s": lambda one: f"{one.seconds:.1f}",
    "invocations": lambda one: f"{one.use.invocations}",
    "DynamoDB": lambda one: f"{one.use.dynamodb_requests:,}",
    "RRU": lambda one: f"{one.use.read_units:,.0f}",
    "WRU": lambda one: f"{one.use.write_units:,.0f}",
    "SQS": lambda one: f"{one.use.queue_requests}",
    "GB-s": lambda one: f"{one.use.gb_seconds:,.1f}",
    "Lambda $": lambda one: f"{one.cost.function:.6f}",
    "DynamoDB $": lambda one: f"{one.cost.dynamodb:.6f}",
    "SQS $": lambda one: f"{one.cost.queues:.6f}",
    "messages $": lambda one: f"{one.cost.messages:.3f}",
    "ours": lambda one: f"{one.cost.share:.2%}",
    "MB": lambda one: f"{one.peak_memory_bytes / 1e6:.0f}",
}
