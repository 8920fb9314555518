"""The page of the first hour on a real account: each of its commands is sound, and is tried."""

import re
import subprocess
from pathlib import Path

import pytest

from tests.page_blocks import Block, aws_calls, blocks_of

PAGE = Path(__file__).parents[2] / "docs" / "operator" / "first-hour.md"
BLOCKS = blocks_of(PAGE)
STEPS = 15


def name_of(block: Block) -> str:
    """Return what a test of a block is called."""
    return f"line {block.line}"


@pytest.mark.parametrize("block", BLOCKS, ids=name_of)
def test_block_is_bash(block: Block) -> None:
    """The shell parses each block of commands."""
    parsed = subprocess.run(
        ["/usr/bin/env", "bash", "-n"],
        input=block.code,
        capture_output=True,
        check=False,
        text=True,
    )

    assert (parsed.returncode, parsed.stderr) == (0, "")


def test_each_fence_is_a_block() -> None:
    """No command of the page escapes the tests by its fence or its mark."""
    text = PAGE.read_text()

    fences = re.findall(r"^ *(?:```|~~~)(.*)$", text, re.MULTILINE)
    opened = [fence for fence in fences if fence]

    assert set(opened) == {"bash", "text"}
    assert opened.count("bash") == len(BLOCKS) == len(fences) - len(opened) - opened.count("text")
    assert opened.count("text") == sum(bool(block.expected) for block in BLOCKS)
    assert text.count("<!--") == sum(block.reason is not None for block in BLOCKS)


@pytest.mark.parametrize("block", [one for one in BLOCKS if one.reason is not None], ids=name_of)
def test_block_that_is_not_run_says_why(block: Block) -> None:
    """A mark without a reason is none, and promises no output that nothing checks."""
    assert len((block.reason or "").split()) > 3
    assert block.expected == ""


def test_page_has_every_step() -> None:
    """The steps are there in their order, each with commands, and its time and its cost."""
    sections = re.findall(r"^## (\d+)\. .*\n\n(.*)$", PAGE.read_text(), re.MULTILINE)
    with_commands = {block.heading.split(".")[0] for block in BLOCKS}

    assert [int(number) for number, _ in sections] == list(range(1, STEPS + 1))
    assert all(re.match(r"\*\S+ minutes?, .+\.\*", first) for _, first in sections)
    assert with_commands >= {str(number) for number in range(1, STEPS + 1)}
    assert with_commands >= {"Before you begin", "Destroy", "What is left", "The bill"}


@pytest.mark.parametrize(
    ("output", "missing"),
    [
        ("one\nthe  two here\nthree", []),
        ("three\none\ntwo", ["three"]),
        ("one\nthree", [".*two.*"]),
    ],
)
def test_block_misses_what_is_not_there_in_order(output: str, missing: list[str]) -> None:
    """Lines between the expected ones are left out; order and `…` are kept to."""
    block = Block("", 1, "", None, "one\n…two…\nthree\n")

    assert block.missing(output) == missing


def test_calls_of_the_aws_cli_are_found_with_their_options() -> None:
    """In functions, substitutions, pipes and prose, over lines; others' options are not theirs."""
    code = (
        'f() {\n  aws sqs a-b --x "$1" \\\n    --query \'--no\' "$(aws ec2 c --y 1)" | cut --z\n}\n'
        "so `aws s3api wait ready --q w` is --right\n"
    )

    calls = aws_calls(code)

    assert calls == [
        ["sqs", "a-b", "--x", "--query"],
        ["ec2", "c", "--y"],
        ["s3api", "wait", "ready", "--q"],
    ]
