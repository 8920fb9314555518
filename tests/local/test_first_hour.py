"""The page of the first hour, run as it stands: on a local AWS of its own, which it destroys."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from crier.deployed.deployment import Deployment
from crier.local.deploy import deploy_locally
from crier.local.environment import clean_environment
from crier.local.local_aws import LocalAws
from crier.local.process_group import end_group
from crier.paths import PROGRAMS, ROOT
from tests.page_blocks import Block, aws_calls, blocks_of

PAGE = ROOT / "docs" / "operator" / "first-hour.md"
RUN = [block for block in blocks_of(PAGE) if block.reason is None]
SECONDS = 420

pytestmark = pytest.mark.timeout(SECONDS + 60)

FEWER = {
    "11. 300 messages at once": (("30 0", "3 0"), ("300", "30")),
    "15. 3,000 clients, three broadcasts": (("3,000", "30"), ("3000", "30")),
}
"""What the page's figures are with the fewer clients and messages of the test."""

PRELUDE = """\
set -e
BATCHES=3 CLIENTS=30
sleep() { command sleep "$(($1 < 2 ? $1 : 1))"; }
aws() { command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@"; }
"""
"""Ends the run at the first command that fails. The local AWS needs no long pauses.

Version 1 of the AWS CLI does not heed AWS_ENDPOINT_URL for SQS; the last --endpoint-url counts.
"""


@pytest.fixture(scope="module")
def local_aws() -> Iterator[LocalAws]:
    """A local AWS for this page alone."""
    with LocalAws() as aws:
        yield aws


@pytest.fixture(scope="module")
def deployment(local_aws: LocalAws) -> Deployment:
    """The app, as the page's marked commands would deploy it."""
    return deploy_locally(local_aws, lambda _: None)


@pytest.fixture
def nothing_left() -> None:
    """Leave the tables alone: the page has deleted them."""


@pytest.fixture(scope="module")
def folder(
    local_aws: LocalAws, deployment: Deployment, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The project's folder as the page sees it, after the page was run in it."""
    del deployment
    folder = tmp_path_factory.mktemp("hour")
    for name, place in (
        (".venv", PROGRAMS.parent),
        (".venv-aws-cli", ROOT / ".venv-aws-cli"),
        ("node_modules", ROOT / "node_modules"),
        ("crier", ROOT / "crier"),
    ):
        (folder / name).symlink_to(place)
    script = [PRELUDE]
    for block in RUN:
        (folder / f"{block.line}.sh").write_text(block.code)
        script.append(f"source ./{block.line}.sh > {block.line}.out 2>&1\n")
    (folder / "hour.sh").write_text("".join(script))
    _run(folder, {**clean_environment(), **local_aws.endpoint.environment})
    return folder


@pytest.fixture
def outputs(folder: Path) -> Mapping[int, str]:
    """What each block printed, by its line in the page; those after a failure are missing."""
    places = {block.line: folder / f"{block.line}.out" for block in RUN}
    return {line: place.read_text() for line, place in places.items() if place.exists()}


def _run(folder: Path, environment: Mapping[str, str]) -> None:
    """Run the script as in a terminal: its standard input stays open."""
    with subprocess.Popen(
        ["/usr/bin/env", "bash", "hour.sh"],
        cwd=folder,
        env={**environment, "HOME": str(folder)},
        start_new_session=True,  # listeners are to end, too, if the script did not end them
        stdin=subprocess.PIPE,
    ) as process:
        try:
            status = process.wait(SECONDS)
            (folder / "last.out").write_text(f"exit status {status}")
        finally:
            end_group(process)


def _expected(block: Block) -> Block:
    text = block.expected
    for many, few in FEWER.get(block.heading, ()):
        text = text.replace(many, few)
    return Block(block.heading, block.line, block.code, None, text)


def test_page_runs_on_the_local_aws(outputs: Mapping[int, str], folder: Path) -> None:
    """Each command that the local AWS knows succeeds, and prints what the page shows."""
    last = max(outputs)

    missing = {
        block.line: (lines, outputs[block.line])
        for block in RUN
        if block.line in outputs and (lines := _expected(block).missing(outputs[block.line]))
    }

    assert (folder / "last.out").read_text() == "exit status 0", f"line {last}: {outputs[last]}"
    assert missing == {}
    assert set(outputs) == {block.line for block in RUN}


def test_page_leaves_nothing(outputs: Mapping[int, str], folder: Path) -> None:
    """Where the page shows no output after the stack's end there is none."""
    ends = [block for block in RUN if block.heading in ("Destroy", "What is left")]

    printed = [outputs[block.line].strip() for block in ends]

    assert printed == [""] * 2
    assert not any((folder / "build").iterdir())


def test_calls_of_the_aws_cli_are_those_that_it_has() -> None:
    """In all documents, also of commands that the local AWS cannot run."""
    pages = (ROOT / "README.md", *(ROOT / "docs").rglob("*.md"))
    calls = [call for page in pages for call in aws_calls(page.read_text())]

    judged = subprocess.run(
        [
            ROOT / ".venv-aws-cli" / "bin" / "python",
            Path(__file__).parent / "aws_cli_complaints.py",
        ],
        input=json.dumps(calls),
        capture_output=True,
        check=True,
        env={"PATH": os.defpath, "HOME": "/nonexistent"},
        text=True,
    )

    assert len(calls) > 25
    assert judged.stdout == ""
