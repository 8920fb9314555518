"""The README is one page: what it is, that it works, and where to read on."""

import re

import pytest

from crier.paths import ROOT

README = (ROOT / "README.md").read_text()
MOST_LINES = 150
FIRST_SCREEN_LINES = 25


def test_readme_is_one_page_that_begins_with_a_picture() -> None:
    """A reader sees on the first screen what it does and what it is good for."""
    lines = README.splitlines()
    screen = "\n".join(lines[:FIRST_SCREEN_LINES])

    assert len(lines) <= MOST_LINES
    assert "```mermaid" in screen
    assert re.findall(r"^- \*\*(\w+)\.\*\*", screen, re.MULTILINE) == [
        "Fast",
        "Exact",
        "Serverless",
    ]


@pytest.mark.parametrize("command", ["make demo", "make test"])
def test_readme_names_the_two_commands_that_set_up_all_by_themselves(command: str) -> None:
    """Each has a row that says what it does, and depends on the set-up in the Makefile."""
    makefile = (ROOT / "Makefile").read_text()

    assert re.search(rf"^\| `{command}` \|", README, re.MULTILINE)
    assert re.search(rf"^{command.split()[1]}: .*\bsetup\b", makefile, re.MULTILINE)


def test_readme_links_to_every_document() -> None:
    """Each page of the documents has a place among those of its reader."""
    pages = [path.relative_to(ROOT) for path in (ROOT / "docs").rglob("*.md")]

    assert len(pages) > 15
    assert [str(page) for page in pages if f"]({page})" not in README] == []


@pytest.mark.parametrize("page", ["README.md", "docs/user/getting-started.md"])
def test_demo_of_the_documents_ends_as_the_demo_does(page: str) -> None:
    """The last line of what they show is the one that the command prints."""
    printed = (ROOT / "crier" / "commands" / "demo_views.py").read_text()

    shown = re.findall(r"^✓ (.*)$", (ROOT / page).read_text(), re.MULTILINE)

    assert len(shown) == 1
    assert f'"{shown[0]}"' in printed


def test_readme_has_the_figures_of_the_benchmarks() -> None:
    """Its rows and its demo are those of the pages that tell all of it."""
    benchmarks = (ROOT / "docs" / "contributor" / "benchmarks.md").read_text()
    started = (ROOT / "docs" / "user" / "getting-started.md").read_text()

    rows = re.findall(r"^\| .* µs \|$", README, re.MULTILINE)
    demo = re.findall(r"^│.*│$", README, re.MULTILINE)

    assert len(rows) == 5
    assert [row for row in rows if row not in benchmarks] == []
    assert [line for line in demo if line not in started] == []
