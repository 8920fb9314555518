"""Shows what a demo has proved: a table, and what is not as promised."""

from collections.abc import Mapping, Sequence

from rich.table import Table

from crier import terminal
from crier.demo.channels_result import ChannelsResult
from crier.demo.result import DemoResult


def show_result(result: DemoResult) -> None:
    """Show the figures of the demo of one broadcast, and whether everything is as promised."""
    rows = {
        "Clients connected": f"{result.connections:,}",
        "Ghost rows": f"{result.ghosts:,}",
        "Targeted": f"{result.targeted:,}",
        "Delivered": f"{result.delivered:,}",
        "Gone": f"{result.gone:,}",
        "Failed": f"{result.failed:,}",
        "Clients that received it exactly once": f"{result.received:,}",
        "Duplicates": f"{result.duplicates:,}",
        "Missing": f"{result.missing:,}",
        "From enqueue to the first client": f"{result.first_seconds:.3f} s",
        "From enqueue to the last client": f"{result.last_seconds:.3f} s",
        "Settled per second": f"{result.settled_per_second:,.0f}",
        "Stale rows left": f"{result.stale_rows_left:,}",
        "Live rows lost": f"{result.live_rows_lost:,}",
    }
    _show(
        "One broadcast, proved from outside",
        rows,
        result.complaints,
        "Every client received it exactly once; the stale rows are gone.",
    )


def show_channels_result(result: ChannelsResult) -> None:
    """Show the figures of the demo of channels, and whether everything is as promised."""
    came = result.reception
    rows = {
        "Clients, each let in by a ticket": f"{result.clients:,}",
        "Users, channels": f"{result.users:,}, {result.channels:,}",
        "Broadcasts to everyone, channels, users, connections": f"{result.broadcasts:,}",
        "Frames that were meant for clients": f"{result.expected:,}",
        "Received in order, exactly once": f"{came.right:,}",
        "Missing": f"{came.missing:,}",
        "Twice": f"{came.repeated:,}",
        "Out of order": f"{came.misplaced:,}",
        "Not meant for the client": f"{came.wrong:,}",
        "Connections that `exclude` left out": f"{result.excluded:,}",
        "Missed by a client that was away": f"{result.missed:,}",
        "Replayed when it came back": f"{result.replayed:,}",
        "Lost": f"{result.lost:,}",
        "From its return to the last missed frame": f"{result.seconds_to_catch_up:.3f} s",
        "Copies, dropped by their number": f"{result.copies:,}",
        "Accounts that are wrong": f"{result.miscounted:,}",
        "A channel that the ticket does not allow": "refused" if result.refused else "let in",
        "Rows left when all clients have gone": f"{result.rows_left:,}",
    }
    _show(
        "Channels, users and replay, proved from outside",
        rows,
        result.complaints,
        "Every client received all that was meant for it, in order, once, and nothing else.",
    )


def _show(title: str, rows: Mapping[str, str], complaints: Sequence[str], all_is_well: str) -> None:
    table = Table(title=title, show_header=False)
    table.add_column()
    table.add_column(justify="right")
    for name, value in rows.items():
        table.add_row(name, value)
    terminal.out.print(table)
    for complaint in complaints:
        terminal.err.print(f"[red]✗[/red] {complaint}")
    if not complaints:
        terminal.out.print(f"[green]✓[/green] {all_is_well}")
