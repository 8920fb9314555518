"""What the pages for contributors say of the code is true."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from broadcasting import breaker, trouble
from broadcasting.attributes import GAVE_UP, KIND, REDRIVEN
from broadcasting.retry import MAX_ROUNDS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted((DOCS / "contributor").glob("*.md"))
DELIVERY = (DOCS / "contributor" / "delivery.md").read_text()
FAULTS = (DOCS / "contributor" / "ledger-and-faults.md").read_text()
DEPENDENCIES = (DOCS / "contributor" / "dependencies.md").read_text()


def _named_in(pattern: str, *paths: Path) -> set[str]:
    """Return what a pattern finds in source files."""
    return {name for path in paths for name in re.findall(pattern, path.read_text())}


def _rule() -> str:
    """Return the section that states whose trouble an answer is."""
    section = DELIVERY.split("## One connection's trouble, or everyone's?\n")[1]
    return section.split("\n## ")[0]


def test_faults_in_the_documents_have_their_tests() -> None:
    """Each row of the table names tests that exist, and no fault test is missing from it."""
    named = set(re.findall(r"`(test_\w+)`", FAULTS))
    tests = "\n".join(path.read_text() for path in (ROOT / "tests" / "faults").glob("test_*.py"))

    written = set(re.findall(r"^(?:async )?def (test_\w+)", tests, re.MULTILINE))

    not_faults = {
        "test_crash_is_none_that_the_function_could_catch",
        "test_soak_breaks_no_promise",
        "test_storm_loses_doubles_and_swaps_no_frame",
    }
    assert named == written - not_faults


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
    delays = [trouble.outage_delay_seconds(rounds) for rounds in range(1, 9)]

    assert delays == [5, 10, 20, 40, 80, 160, 300, 300]
    assert breaker.PROBES_AT_SECONDS == (0, 0.1, 0.3, 0.7, 1.5, 3.1)
    assert (breaker.PROBES_AT_ONCE, trouble.OWN_ONE_IN, MAX_ROUNDS) == (4, 50, 4)


def test_contributors_are_told_every_verb_of_make() -> None:
    """The table has the Makefile's verbs, and no others."""
    contributing = (ROOT / "CONTRIBUTING.md").read_text()
    verbs = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE)

    table = re.findall(r"^\| `make ([a-z-]+)", contributing, re.MULTILINE)

    assert sorted(table) == sorted(verbs)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_that_a_page_names_exist(page: Path) -> None:
    """A name is the end of a path: `judge.py`, `delivery/judge.py`."""
    folders = ("lambdas", "stacks", "crier", "testbed", "bench", "tests")
    sources = [
        *ROOT.glob("*.py"),
        *(path for one in folders for path in (ROOT / one).rglob("*.py")),
    ]
    ends = {f"/{path.relative_to(ROOT).as_posix()}" for path in sources}

    named = {f"/{name.lstrip('/')}" for name in re.findall(r"[\w/]*\w\.py\b", page.read_text())}

    assert [name for name in sorted(named) if not any(end.endswith(name) for end in ends)] == []


@pytest.mark.parametrize("package", ["delivery", "delivery/http"])
def test_reading_order_of_a_package_has_all_of_its_files(package: str) -> None:
    """A file that its first lines leave out is found by chance only."""
    folder = ROOT / "lambdas" / package
    first_lines = (folder / "__init__.py").read_text()

    files = {path.name for path in folder.glob("*.py")} - {"__init__.py"}

    assert [name for name in sorted(files) if name not in first_lines] == []


def test_every_dependency_has_its_reason() -> None:
    """Each package that is pinned is in the tables, and no other is."""
    pinned = _named_in(
        r"(?m)^([A-Za-z0-9-]+)(?:\[.*\])?==",
        *ROOT.glob("requirements*.txt"),
        *(ROOT / "bench").glob("requirements*.txt"),
    )
    for folder in (ROOT, ROOT / "bench" / "peers", ROOT / "web"):
        package = json.loads((folder / "package.json").read_text())
        pinned |= {*package.get("dependencies", ()), *package.get("devDependencies", ())}

    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text())
    needed = (*pyproject["build-system"]["requires"], *pyproject["project"]["dependencies"])
    pinned |= {re.split("[=>]", name)[0] for name in needed}

    rows = re.findall(r"^\| ([@A-Za-z][^|]*) \|", DEPENDENCIES, re.MULTILINE)
    told = {name for row in rows for name in row.split(", ")} - {"package"}

    assert told == pinned


def test_each_decision_has_its_date_and_its_place_in_the_index() -> None:
    """And one that is superseded is marked there."""
    page = (DOCS / "contributor" / "decisions.md").read_text()
    index, *decisions = page.split("\n## ")
    listed = re.findall(r"^- \[(.*)\]\(#[^)]*\)( †)?$", index, re.MULTILINE)

    written = [
        (decision.split("\n")[0], " †" if "**Superseded**" in decision else "")
        for decision in decisions
    ]

    assert all(re.match(r".*\n\n\*Decided \d{4}-\d\d-\d\d\.\*", one) for one in decisions)
    assert sorted(listed) == sorted(written)
