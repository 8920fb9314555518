"""What the documents say of the code is true."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_faults_in_the_documents_have_their_tests() -> None:
    """Each row of the table names tests that exist, and no fault test is missing from it."""
    named = set(re.findall(r"`(test_\w+)`", (ROOT / "docs" / "delivery.md").read_text()))
    tests = "\n".join(path.read_text() for path in (ROOT / "tests" / "faults").glob("test_*.py"))

    written = set(re.findall(r"^(?:async )?def (test_\w+)", tests, re.MULTILINE))

    not_faults = {"test_crash_is_none_that_the_function_could_catch", "test_soak_breaks_no_promise"}
    assert named == written - not_faults


def test_documents_link_to_files_that_exist() -> None:
    """Also from one document to another."""
    for document in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")):
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text()):
            assert (document.parent / target).exists(), f"{document.name}: {target}"
