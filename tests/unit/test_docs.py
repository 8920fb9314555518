"""The documents hold together: links, what stands in one place, how commands are typed."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = (*ROOT.glob("*.md"), *DOCS.rglob("*.md"))


def _anchors(document: Path) -> set[str]:
    """Return what links to a document's headings end in."""
    headings = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_documents_link_to_files_that_exist() -> None:
    """Also from one document to another."""
    for document in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_documents_link_to_headings_that_exist() -> None:
    """Within a document, and from one to another."""
    for document in PAGES:
        for target, anchor in re.findall(r"\]\(([^)#:]*)#([^)]*)\)", document.read_text()):
            place = document.parent / target if target else document
            assert anchor in _anchors(place), f"{document.name}: {target}#{anchor}"


@pytest.mark.parametrize(
    "words",
    [
        "lost its network counts as delivered",
        "nothing was sent for 10 minutes, to it or by it",
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
    assert sum(path.read_text().count(words) for path in PAGES) == 1


def test_commands_in_documents_are_typed_as_crier() -> None:
    """No document has a path to a Python in its commands but where it tells of other set-ups."""
    found = {
        str(path.relative_to(ROOT))
        for path in PAGES
        if re.search(r"python -m crier\b", path.read_text())
    }

    assert found <= {
        "CHANGELOG.md",
        "docs/contributor/decisions.md",
        "docs/operator/set-up.md",
    }
