"""The command that runs the app on a local AWS: local."""

import json
import os
import time
from contextlib import ExitStack

from rich.text import Text

from crier import terminal
from crier.commands.invitation import show_invitation
from crier.commands.local_deployment import Port, deployed, orderly
from crier.commands.local_page import CutAfter, Every, PagePort, served_page
from crier.commands.local_settings import Auth, Settings, has_own_issuer, read_settings
from crier.demo.town import Town
from crier.errors import CrierError
from crier.installed import refuse_missing_checkout, refuse_missing_libraries
from crier.local.file_limit import raise_file_limit
from crier.local.interrupts import interrupts
from crier.local.local_aws import LocalAws
from crier.local.logs import LogFollower, LogLine
from crier.local.own_issuer import make_secret
from crier.local.run_folder import end_killed_runs
from crier.local.session import announced, refuse_second_run

_MANY_FILES = 4_096
_LEVELS = {"ERROR": "red", "WARNING": "yellow"}
_IN_EVERY_LINE = {"level", "location", "message", "timestamp", "service"}


def local(
    port: Port = 0,
    auth: Auth = None,
    setting: Settings = None,
    *,
    page_port: PagePort = 0,
    cut_after_seconds: CutAfter = None,
    broadcast_every: Every = None,
) -> None:
    """Start a local AWS, deploy Crier to it and show what the functions log, until Ctrl-C.

    A page to see it in is served as well.
    """
    refuse_missing_checkout("local")
    refuse_missing_libraries("ministack")
    settings = read_settings(setting or (), auth)
    end_killed_runs()  # else the processes of a killed run may look like a run
    refuse_second_run()
    if (files := raise_file_limit(_MANY_FILES)) < _MANY_FILES:
        _note_few_files(files)
    users_path = os.environ.get("PATH", "")  # the local run puts its own programs first
    with orderly(), ExitStack() as stack:
        with terminal.progress() as bars:
            aws, deployment = stack.enter_context(deployed(bars, port, settings))
        secret = make_secret(deployment) if has_own_issuer(settings) else None
        page = stack.enter_context(
            served_page(
                deployment,
                port=page_port,
                secret=secret,
                cut_after_seconds=cut_after_seconds,
                has_broadcasts=broadcast_every is not None,
            )
        )
        stack.enter_context(announced(aws.endpoint))
        show_invitation(deployment, users_path=users_path, secret=secret, page=page)
        town = Town(deployment, every_seconds=broadcast_every) if broadcast_every else None
        _show_until_it_ends(aws, town)
        raise CrierError("the local AWS has ended by itself; start `crier local` again")


def _show_until_it_ends(aws: LocalAws, town: Town | None) -> None:
    """Show what the functions log, and send what there is to send, while the local AWS runs.

    With a town, which sends all the time, only what is amiss is shown: the page's URL stays on the
    screen.
    """
    follower = LogFollower(aws.logs)
    while aws.is_running:
        if town is not None:
            town.tell(time.monotonic())
        for line in follower.new_lines():
            if town is None or line.fields.get("level") != "INFO":
                _show_log_line(line)
        with interrupts.waiting():
            time.sleep(0.2)


def _show_log_line(line: LogLine) -> None:
    """Show a line that a function printed; in a structured one the message comes first."""
    fields = line.fields
    if "_aws" in fields:  # a metric: for CloudWatch, not for a reader
        return
    text = Text(f"{line.name:<13}", style="cyan")
    if fields:
        others = {name: value for name, value in fields.items() if name not in _IN_EVERY_LINE}
        text.append(f"{fields.get('message', '')} ", style=_LEVELS.get(fields.get("level", ""), ""))
        text.append(json.dumps(others, ensure_ascii=False), style="dim")
    else:
        text.append(line.text)
    terminal.out.print(text, soft_wrap=True)


def _note_few_files(allowed: int) -> None:
    """Say that the system allows few open files, and what they are needed for."""
    terminal.err.print(
        f"This system allows {allowed} open files, so fewer clients than that can connect. For "
        f"more clients, type `ulimit -Hn {_MANY_FILES}` in this shell as root.",
        soft_wrap=True,
    )
