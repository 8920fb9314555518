"""What `python -m bench documents` does: write the latest figures into the pages that show them."""

from collections.abc import Callable, Mapping
from pathlib import Path

from bench import terminal
from bench.compare.result import Result
from bench.documents.blocks import replace_block, replace_line
from bench.documents.rows import measured_table, short_table
from bench.documents.sentences import cold, conditions, fast, targets_table
from bench.paths import ROOT, shown


def documents() -> bool:
    """Write them; return True, as there is nothing to judge."""
    result = Result.read()
    for path, renew in DOCUMENTS.items():
        path.write_text(renew(path.read_text(), result))
        terminal.note(f"Figures written to {shown(path)}.")
    return True


def renew_readme(text: str, result: Result) -> str:
    """Return the README's text with the figures of a result."""
    text = replace_line(text, "- **Fast.**", fast(result))
    return replace_block(text, "short", f"\n{short_table(result.runs)}\n\n{cold(result)}\n")


def renew_benchmarks(text: str, result: Result) -> str:
    """Return the text of the page of benchmarks with the figures of a result."""
    measured = f"\n{conditions(result)}\n\n{measured_table(result.runs)}\n"
    text = replace_block(text, "measured", measured)
    return replace_block(text, "targets", f"\n{targets_table(result.targets)}\n")


DOCUMENTS: Mapping[Path, Callable[[str, Result], str]] = {
    ROOT / "README.md": renew_readme,
    ROOT / "docs" / "contributor" / "benchmarks.md": renew_benchmarks,
}
