"""The figures of the documents: all of them are those of the latest result."""

from pathlib import Path

import pytest

from bench.compare.result import Result, Run
from bench.documents import verb
from bench.documents.blocks import replace_block, replace_line, table
from bench.documents.rows import NAMES, measured_table, row, short_table
from bench.documents.sentences import cold, conditions, fast, targets_table
from bench.documents.verb import DOCUMENTS, renew_benchmarks
from bench.errors import BenchError
from bench.target import Limit
from tests.support.figures import a_run

USUAL = 1_024
PEERS = (
    *("boto3-threads", "aiobotocore-gather", "node-v2-all-settled", "node-v3-all-settled"),
    "node-v3-http2-all-settled",
)
RUNS: tuple[Run, ...] = (
    *(
        a_run(f"{library}-sequential", connections=300, in_flight=1, wall_seconds=7.0)
        for library in ("boto3", "node-v2", "node-v3")
    ),
    *(a_run(name, in_flight=64, wall_seconds=3.0) for name in PEERS),
    a_run("node-v2-all-settled", in_flight=256, wall_seconds=1.5),
    a_run("crier", in_flight=USUAL, wall_seconds=0.1, https_connections=8),
    a_run("crier", in_flight=USUAL, warm=False, wall_seconds=0.2),
    a_run("crier", in_flight=4_096, connections=61_440),
    a_run("crier-paced", connections=30_000, in_flight=USUAL),
    a_run("crier-http1", in_flight=512, wall_seconds=0.25),
    a_run("crier-http1", in_flight=512, warm=False, wall_seconds=0.45),
    a_run("crier-before", in_flight=512, wall_seconds=0.26),
    a_run("crier-before", in_flight=512, warm=False, wall_seconds=0.46),
)
MACHINE = {
    "cpu": "Some CPU",
    "cores": 2,
    "python": "3.11",
    "openssl": "OpenSSL 3",
    "node": "v24",
    "date": "2026-01-02T03:04:05+00:00",
}
RESULT = Result(MACHINE, RUNS, ())


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_documents_have_the_figures_of_the_latest_result(path: Path) -> None:
    """Whoever changes the result or the wording runs `python -m bench documents`."""
    text = path.read_text()

    assert DOCUMENTS[path](text, Result.read()) == text


def test_block_is_replaced_between_its_comments() -> None:
    """What stands around it, and other blocks, stay as they are."""
    text = "a\n<!-- figures: one -->\nold\n<!-- end of figures -->\nb <!-- figures: two -->"

    renewed = replace_block(text, "one", "new")

    assert renewed == text.replace("old", "new")


@pytest.mark.parametrize(
    "text",
    [
        "none",
        "<!-- figures: one --> without an end",
        "<!-- figures: one --><!-- end of figures --><!-- figures: one -->",
    ],
)
def test_block_must_be_there_once(text: str) -> None:
    """A document that was changed by hand is an error, not a guess."""
    with pytest.raises(BenchError, match="figures: one"):
        replace_block(text, "one", "new")


def test_line_is_replaced_by_its_beginning() -> None:
    """It may say something else afterwards."""
    assert replace_line("a\n- **Fast.** old\nb", "- **Fast.**", "new") == "a\nnew\nb"


def test_line_must_be_there_once() -> None:
    """A second one would be left as it was."""
    with pytest.raises(BenchError, match="found 2"):
        replace_line("a 1\na 2", "a", "new")


def test_table_is_markdown() -> None:
    """A line of names, a line of dashes, a line for each row."""
    assert table(("a", "b"), [("1", "2")]) == "| a | b |\n|---|---|\n| 1 | 2 |"


def test_row_shows_both_cores_and_marks_a_full_one() -> None:
    """The way, its protocol and size; times, rate, connections, loads, and CPU."""
    run = a_run(
        "crier-raised-quota",
        connections=300_000,
        in_flight=1_024,
        wall_seconds=7.25,
        posts_per_second=41_379.3,
        stand_in_cpu_share=0.971,
        cpu_microseconds_per_post=9.16,
    )

    cells = row(run)

    assert len(cells) == len(NAMES)
    assert cells == (
        "**Crier, HTTP/2**, 300,000, at a quota of 40,000/s",
        "1,024",
        "7.25 s",
        "41,379",
        "8",
        "60%",
        "97%, **full**",
        "9.2 µs",
    )


def test_measured_table_has_each_peer_at_its_best_and_every_row_of_crier() -> None:
    """Not the sweep's: that is what the plot shows."""
    lines = measured_table(RUNS).splitlines()[2:]

    ways = [line.split(" | ")[0].removeprefix("| ") for line in lines]
    assert len(ways) == 3 + len(PEERS) + 7
    assert sum("allSettled" in way for way in ways) == 3
    assert "| Node SDK v2, allSettled | 256 | 1.50 s" in measured_table(RUNS)
    assert ways[-3:] == [
        "**Crier, HTTP/2**",
        "**Crier, HTTP/2**, no connection open yet",
        "**Crier, HTTP/2**, 30,000, at a quota of 10,000/s",
    ]


def test_short_table_has_rows_of_the_long_one() -> None:
    """The loop, threads, the fastest peer, and Crier over both protocols."""
    short, long = short_table(RUNS).splitlines(), measured_table(RUNS).splitlines()

    assert len(short) == 2 + 5
    assert set(short) <= set(long)


def test_short_table_says_what_is_missing() -> None:
    """A result of a part of the plan is not shown as if it were whole."""
    runs = tuple(run for run in RUNS if run.strategy != "crier-http1")

    with pytest.raises(BenchError, match="crier-http1 was not measured at 3,000"):
        short_table(runs)


def test_sentences_have_their_figures() -> None:
    """Ratios to the best peers, the cold run, the machine without its name."""
    assert "in 0.10 s, on one vCPU and 8 HTTPS connections: 15 times as fast" in fast(RESULT)
    assert "30 times as fast as boto3" in fast(RESULT)
    assert cold(RESULT) == "From cold Crier takes 0.20 s."
    assert conditions(RESULT).startswith("Measured on 2026-01-02, on 2 shared virtual cores (Some")


def test_targets_table_says_by_what_a_figure_was_limited() -> None:
    """Met, missed, excused, and not measured are four things."""
    limit = Limit("≥", 10, "x")
    targets = (
        limit.judge("met", 12.0),
        limit.judge("missed", 9.0, worst_run="a row"),
        limit.judge("excused", 9.0, limited_by="the stand-in's core, 97%"),
        limit.judge("met all the same", 12.0, limited_by="the stand-in's core, 97%"),
        limit.judge("unknown", None, limited_by="the stand-in's core, 97%"),
    )

    lines = targets_table(targets).splitlines()[2:]

    assert lines == [
        "| met | ≥ 10 x | 12.00 | yes |",
        "| missed | ≥ 10 x | 9.00 (a row) | **no** |",
        "| excused | ≥ 10 x | 9.00 | limited by the stand-in's core, 97% |",
        "| met all the same | ≥ 10 x | 12.00 | yes |",
        "| unknown | ≥ 10 x | not measured | - |",
    ]


def test_documents_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The verb renews each file in place."""
    path = tmp_path / "page.md"
    blocks = ("measured", "targets")
    path.write_text(
        "\n".join(f"<!-- figures: {one} -->\n<!-- end of figures -->" for one in blocks)
    )
    monkeypatch.setattr(verb, "DOCUMENTS", {path: renew_benchmarks})
    monkeypatch.setattr(Result, "read", lambda: RESULT)

    assert verb.documents()

    assert "**Crier, HTTP/2**" in path.read_text()
    assert path.read_text() == renew_benchmarks(path.read_text(), RESULT)
