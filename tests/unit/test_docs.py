"""What the documents say of the code is true."""

import json
import re
from dataclasses import fields
from pathlib import Path

import pytest

from broadcasting import breaker, trouble
from broadcasting.attributes import GAVE_UP, KIND, REDRIVEN
from broadcasting.frame import MAX_FRAME_BYTES
from broadcasting.ledger import MAX_HOPS
from broadcasting.nesting import MOST_LEVELS
from broadcasting.outcome import Verdict, verdict_of
from broadcasting.retry import MAX_ROUNDS
from crier.commands.message_source import MOST_BYTES
from stacks.parts.keep_alive import BROADCAST
from stacks.parts.pace import REGIONS_OF_LOW_QUOTA
from stacks.parts.queue_with_dead_letters import MAX_RECEIVES
from stacks.settings import DeploySettings

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
DELIVERY = (ROOT / "docs" / "delivery.md").read_text()
PRODUCERS = (ROOT / "docs" / "producers.md").read_text()
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()


def _named_in(pattern: str, *paths: Path) -> set[str]:
    """Return what a pattern finds in source files."""
    return {name for path in paths for name in re.findall(pattern, path.read_text())}


def _rule() -> str:
    """Return the section that states whose trouble an answer is."""
    section = DELIVERY.split("## One connection's trouble, or everyone's?\n")[1]
    return section.split("\n## ")[0]


def test_faults_in_the_documents_have_their_tests() -> None:
    """Each row of the table names tests that exist, and no fault test is missing from it."""
    named = set(re.findall(r"`(test_\w+)`", DELIVERY))
    tests = "\n".join(path.read_text() for path in (ROOT / "tests" / "faults").glob("test_*.py"))

    written = set(re.findall(r"^(?:async )?def (test_\w+)", tests, re.MULTILINE))

    not_faults = {"test_crash_is_none_that_the_function_could_catch", "test_soak_breaks_no_promise"}
    assert named == written - not_faults


def test_documents_link_to_files_that_exist() -> None:
    """Also from one document to another."""
    for document in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def _anchors(document: Path) -> set[str]:
    """Return what links to a document's headings end in."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_documents_link_to_headings_that_exist() -> None:
    """Within a document, and from one to another."""
    for document in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for target, anchor in re.findall(r"\]\(([^)#:]*)#([^)]*)\)", document.read_text()):
            place = document.parent / target if target else document
            assert anchor in _anchors(place), f"{document.name}: {target}#{anchor}"


def test_readme_names_every_metric() -> None:
    """Each metric that is published is in its list, and operators are told what they cost."""
    names = _named_in(r'"([A-Z][A-Za-z]+)"(?:: |,\s+unit)', ROOT / "lambdas" / "metrics.py")

    missing = sorted(name for name in names if f"`{name}`" not in README)

    assert missing == []
    assert f"| {len(names)} of them: ${len(names) * 0.3:.2f} a month |" in OPERATIONS


def test_readme_names_every_log_line() -> None:
    """Each message that a function logs is told."""
    lambdas = (ROOT / "lambdas").glob("*.py")
    names = _named_in(r'(?:logger\.\w+|log_receipt)\(\s*"([^"]+)"', *lambdas)
    names |= {
        "opened",
        "resumed",
        "taken up",
        "slice closed",
        "slice handed over",
        "broken off",
        "lease lost",
    }

    missing = sorted(name for name in names if f"`{name}`" not in README)

    assert missing == []


@pytest.mark.parametrize(
    "words",
    [
        f"at most {trouble.MOST_OWN} connections, or one in fifty",
        f"closed --> open: {breaker.REFUSALS_IN_A_ROW} connections refused",
        f"closed --> probing: {breaker.WINDOW_POSTS} posts, most of them lost",
        f"probing --> open: {breaker.PROBING_SECONDS:.0f} s",
        "0, 0.1, 0.3, 0.7, 1.5 and 3.1 s",
        "5 s, then 10, 20, 40, 80 and 160 s, then 300 s each time",
        f"`{KIND}` = `{GAVE_UP}`",
        f"`{REDRIVEN}`",
    ],
)
def test_delivery_states_the_rule_of_the_code(words: str) -> None:
    """The numbers and names of the rule are those that the code has."""
    assert words in _rule()


def test_rule_in_the_documents_has_the_pauses_of_the_code() -> None:
    """What the documents write out is what the code computes."""
    rests = [trouble.outage_delay_seconds(rounds) for rounds in range(1, 9)]

    assert rests == [5, 10, 20, 40, 80, 160, 300, 300]
    assert breaker.PROBES_AT_SECONDS == (0, 0.1, 0.3, 0.7, 1.5, 3.1)
    assert (breaker.PROBES_AT_ONCE, trouble.OWN_ONE_IN, MAX_ROUNDS) == (4, 50, 4)


def test_readme_lists_every_setting() -> None:
    """With the bounds that are checked, or the names that are allowed."""
    table = README.split("## Settings\n")[1].split("\n## ")[0]

    for field in fields(DeploySettings):
        first, *others = field.name.split("_")
        name = first + "".join(word.capitalize() for word in others)
        assert f"| `{name}` |" in table


def test_readme_names_the_regions_of_low_quota() -> None:
    """All of them, and what the default is there."""
    low = REGIONS_OF_LOW_QUOTA

    assert f"{', '.join(low[:-1])} and {low[-1]}" in README
    assert len(low) == 13


def test_operations_tell_the_tables_by_their_logical_ids_and_the_keep_alive_as_it_is() -> None:
    """What an operator types, and what an application compares with."""
    mapping, *_ = (
        json.loads(block)
        for block in re.findall(r"```json\n(.*?)```", OPERATIONS, re.DOTALL)
        if "TableName" in block
    )
    ids = (ROOT / "tests/unit/stacks/test_stack_resources.py").read_text()

    assert all(f'"{id_}"' in ids for id_ in mapping)
    assert f"```json\n{json.dumps(BROADCAST)}\n```" in OPERATIONS


def test_producers_are_a_line_of_the_context() -> None:
    """What is to be written into cdk.json makes a file that is read, and right settings."""
    (line,) = re.findall(r"```json\n(.*)\n```", PRODUCERS)
    context = json.loads(f'{{"context": {{\n{line}\n"stage": "prod"}}}}')["context"]

    settings = DeploySettings.from_context(context)

    assert len(settings.producers) == 2


def test_documents_state_the_reasons_for_envelopes() -> None:
    """What an operator reads in a dead letter is in the table of cures, by its beginning."""
    source = (ROOT / "lambdas" / "broadcasting" / "envelopes.py").read_text()
    reasons = re.findall(r'RejectedError\(\s*"(an? [\w ]+)', source)

    missing = [reason for reason in reasons if f"| `{reason.strip()}" not in PRODUCERS]

    assert len(reasons) == 4
    assert missing == []


def test_readme_states_the_limits_of_the_code() -> None:
    """Sizes, depth, receives, hops, and how long an outage is waited for."""
    limits = (
        f"nested at most {MOST_LEVELS} levels deep",
        f"of at most {MOST_BYTES // 1024**2} MiB",
        f"at most {MAX_FRAME_BYTES // 1024} KiB of UTF-8",
        f"after {MAX_RECEIVES} receives",
        f"taken up {MAX_HOPS:,} times in a row",
        f"| `outageSeconds` | {DeploySettings().outage_seconds:,} |",
    )

    missing = [words for words in limits if words not in README]

    assert missing == []


_WORDS = {
    Verdict.DELIVERED: "delivered",
    Verdict.GONE: "gone",
    Verdict.THROTTLED: "tried again",
    Verdict.LOST: "tried again",
    Verdict.FORBIDDEN: "tried again",
    Verdict.REFUSED: "failed",
}


@pytest.mark.parametrize("status", [200, 400, 403, 408, 410, 413, 429, 500, 503])
def test_readme_has_the_outcome_of_each_status(status: int) -> None:
    """The table of outcomes says what the code makes of an answer of `@connections`."""
    table = README.split("### Outcomes\n\n")[1].split("\n\n")[0]
    rows = [[cell.strip() for cell in row.split("|")[1:3]] for row in table.splitlines()[2:]]

    named = "5xx" if status >= 500 else str(status)
    (outcome,) = (outcome for answer, outcome in rows if named in answer)

    assert outcome.startswith(_WORDS[verdict_of(status, young=False)])


@pytest.mark.parametrize(
    "words",
    [
        "lost its network counts as delivered",
        "hears and says nothing for 10 minutes",
        "binary frame is closed with code 1003",
        "as one WebSocket frame, where API Gateway has frames of 32 KB",
        "do not use `HTTPS_PROXY`",
        "VPC without a way out",
        "A new account allows 10 Lambda functions at once",
        "takes 4,000 writes and 12,000 reads a second",
        "| 14 days from when the message was first sent |",
        "how many requests it takes on one",
        "posts that are answered 410 or 429 are billed",
    ],
)
def test_limit_is_told_once(words: str) -> None:
    """What users have to know of AWS stands in one place of the documents."""
    documents = [README, *(path.read_text() for path in (ROOT / "docs").glob("*.md"))]

    assert sum(text.count(words) for text in documents) == 1
