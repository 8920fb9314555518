"""What people see: progress on stderr, data on stdout."""

import json
import shlex
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.panel import Panel
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from crier.demo.result import Proof
from crier.deployed.deployment import Deployment
from crier.local.local_aws import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY, clean_environment
from crier.local.logs import LogLine
from crier.paths import PYTHON, ROOT

out = Console()
err = Console(stderr=True)

_LEVELS = {"ERROR": "red", "WARNING": "yellow"}
_ALWAYS_THERE = {"level", "location", "message", "timestamp", "service"}


@contextmanager
def progress() -> Iterator[Progress]:
    """Show progress bars as long as the block lasts."""
    columns = (
        TextColumn("{task.description:<34}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=err) as bars:
        yield bars


@contextmanager
def steps(bars: Progress, count: int) -> Iterator[Callable[[str], None]]:
    """Show a bar of steps: call what is yielded at the beginning of each, and after the last."""
    task = bars.add_task("", total=count)
    begun = 0

    def step(description: str) -> None:
        nonlocal begun
        bars.update(task, description=description or "Setting up", completed=begun)
        begun += 1

    yield step


def bar(bars: Progress, description: str, total: int) -> Callable[[], None]:
    """Show a bar, and return what to call for each thing that is done."""
    task = bars.add_task(description, total=total, start=False)

    def advance() -> None:
        bars.start_task(task)
        bars.advance(task)

    return advance


def show_invitation(deployment: Deployment) -> None:
    """Say how to connect to a local run, how to broadcast and where the rejected are."""
    err.print(Panel("Crier runs on the local AWS. Press Ctrl-C to end it.", expand=False))
    for title, line in _invitation(deployment).items():
        out.print(Text(title, style="bold"))
        out.print(line, soft_wrap=True, highlight=False, markup=False)
    out.print()


def _invitation(deployment: Deployment) -> Mapping[str, str]:
    """Return what to type, under its title: each line works as it is, in the project's folder."""
    endpoint = deployment.endpoint.url if deployment.endpoint else ""
    sqs = (  # the Region as an option: version 1 of the AWS CLI does not read AWS_REGION
        f"AWS_ACCESS_KEY_ID={ACCESS_KEY_ID} AWS_SECRET_ACCESS_KEY={SECRET_ACCESS_KEY} "
        f".venv-aws-cli/bin/aws --region {REGION} --endpoint-url {endpoint} sqs"
    )
    python = _shown(PYTHON)
    node = shutil.which("node", path=clean_environment()["PATH"]) or "node"
    return {
        "WebSocket URL": deployment.web_socket_url,
        "Queue URL": deployment.queue_url,
        "Dead-letter queue URL": deployment.dead_letter_queue_url,
        "Connect": f"{_shown(node)} node_modules/.bin/wscat -c {deployment.web_socket_url}",
        "Broadcast": f"{python} -m crier send --wait 'Hear ye!'",
        "List the broadcasts": f"{python} -m crier broadcasts",
        "List what was rejected or given up": f"{python} -m crier dead-letters",
        "Broadcast with the AWS CLI (`make aws-cli` installs it)": (
            f"{sqs} send-message --queue-url {deployment.queue_url} "
            """--message-body '{"message": "Hear ye!"}'"""
        ),
        "See what was rejected, and why": (
            f"{sqs} receive-message --queue-url {deployment.dead_letter_queue_url} "
            "--message-attribute-names All --max-number-of-messages 10"
        ),
    }


def _shown(program: str) -> str:
    """Return a program as a word for the shell, from the project's folder if it is in it."""
    path = Path(program)
    return shlex.quote(str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path))


def show_log_line(line: LogLine) -> None:
    """Show a function's line, a structured one in the order that a reader wants."""
    fields = line.fields
    if "_aws" in fields:  # a metric: for CloudWatch, not for a reader
        return
    text = Text(f"{line.name:<13}", style="cyan")
    if fields:
        rest = {name: value for name, value in fields.items() if name not in _ALWAYS_THERE}
        text.append(f"{fields.get('message', '')} ", style=_LEVELS.get(fields.get("level", ""), ""))
        text.append(json.dumps(rest, ensure_ascii=False), style="dim")
    else:
        text.append(line.text)
    out.print(text, soft_wrap=True)


def show_line(text: str) -> None:
    """Print a text as data, as it is."""
    out.print(Text(text), soft_wrap=True)


def show_json(value: object) -> None:
    """Print JSON, for scripts."""
    show_line(json.dumps(value, indent=2))


def note(text: str) -> None:
    """Say something that is no data."""
    err.print(plain(text), soft_wrap=True)


def plain(text: str, style: str = "") -> Text:
    """Return a text that others wrote, in one line, without what a terminal would obey."""
    words = " ".join(text.splitlines())
    return Text("".join(one if one.isprintable() else "?" for one in words), style=style)


def show_few_files(allowed: int, wanted: int) -> None:
    """Say that the system allows few open files, and what for they are needed."""
    err.print(
        f"This system allows {allowed} open files: fewer clients than that can connect. For more, "
        f"type `ulimit -Hn {wanted}` in this shell as root.",
        soft_wrap=True,
    )


def show_error(error: Exception) -> None:
    """Say what went wrong."""
    text = Text.assemble(("Error:", "red"), f" {error}")  # not markup: it may have brackets
    err.print(text, soft_wrap=True)


def show_proof(proof: Proof) -> None:
    """Show a demo's figures, and whether everything is as promised."""
    table = Table(title="One broadcast, proved from outside", show_header=False)
    table.add_column()
    table.add_column(justify="right")
    rows = {
        "Clients connected": f"{proof.connections:,}",
        "Ghost rows": f"{proof.ghosts:,}",
        "Targeted": f"{proof.targeted:,}",
        "Delivered": f"{proof.delivered:,}",
        "Gone": f"{proof.gone:,}",
        "Failed": f"{proof.failed:,}",
        "Clients that received it exactly once": f"{proof.received:,}",
        "Duplicates": f"{proof.duplicates:,}",
        "Missing": f"{proof.missing:,}",
        "From enqueue to the first client": f"{proof.first_seconds:.3f} s",
        "From enqueue to the last client": f"{proof.last_seconds:.3f} s",
        "Settled per second": f"{proof.settled_per_second:,.0f}",
        "Stale rows left": f"{proof.stale_rows_left:,}",
        "Live rows lost": f"{proof.live_rows_lost:,}",
    }
    for name, value in rows.items():
        table.add_row(name, value)
    out.print(table)
    for complaint in proof.complaints:
        err.print(f"[red]✗[/red] {complaint}")
    if not proof.complaints:
        out.print("[green]✓[/green] Everyone received it exactly once; the stale rows are gone.")
