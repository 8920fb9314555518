"""The glossary: each word of ours is there once, and is a word that we use."""

import re

import pytest

from crier.paths import ROOT

GLOSSARY = ROOT / "docs" / "contributor" / "glossary.md"
TERMS = re.findall(r"^\| \*\*(.+?)\*\* \|", GLOSSARY.read_text(), re.MULTILINE)
COUNTERS = ["try", "repeat", "round", "hop"]


def _forms(term: str) -> re.Pattern[str]:
    """Return what a term looks like in sentences and in names, in the plural and inflected."""
    words = r"[\s_-]?".join(re.escape(word) for word in re.split(r"[\s-]", term))
    stem = words[:-1] + "(?:y|ies|ied)" if term.endswith("y") else words
    return re.compile(rf"(?<![a-zA-Z]){stem}(?:e?s|e?d|r|r?s)?(?![a-z])", re.IGNORECASE)


@pytest.fixture(scope="module")
def text() -> str:
    """Return the code and the documents, without the glossary."""
    code = [
        path
        for folder in ("lambdas", "crier", "stacks", "testbed", "bench")
        for path in (ROOT / folder).rglob("*.py")
    ]
    documents = [path for path in (ROOT / "docs").rglob("*.md") if path != GLOSSARY]
    return "\n".join(path.read_text() for path in (*code, *documents))


def test_each_term_is_defined_once() -> None:
    """No word has two meanings."""
    assert len(TERMS) > 60
    assert sorted({term for term in TERMS if TERMS.count(term) > 1}) == []


@pytest.mark.parametrize("term", TERMS)
def test_term_is_used(term: str, text: str) -> None:
    """A word that neither the code nor a document uses needs no definition."""
    assert _forms(term).search(text), f"{term} is defined, and used nowhere: take it out"


def test_the_four_counters_are_explained_together() -> None:
    """Tries, repeats, rounds and hops stand in one table, with their bounds."""
    section = GLOSSARY.read_text().split("## Four counters\n")[1].split("\n## ")[0]

    assert re.findall(r"^\| \*\*(.+?)\*\* \|", section, re.MULTILINE) == COUNTERS
