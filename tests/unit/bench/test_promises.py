"""The benchmark of the promises: its figures, its file, and the units that it counts."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bench import result_file, terminal
from bench.__main__ import app
from bench.promises.repeats import ratio
from bench.promises.unit_meter import UnitMeter
from bench.target import Target

TARGETS = [
    Target(name="heard twice", target="0", source="counted", figure="0", met=True),
    Target(name="done", target="≤ 1 s", source="timed", figure="2 s", met=False),
    Target(name="opened", target="all", source="modelled"),
]


def _put(sort_key: str, size: int) -> dict[str, object]:
    return {"Item": {"pk": {"S": "p"}, "sk": {"S": sort_key}, "text": {"S": "x" * size}}}


def test_targets_are_written_one_a_line(tmp_path: Path) -> None:
    """A change of one target is a change of one line."""
    path = tmp_path / "results" / "promises.json"

    result_file.write(path, {"targets": [one.facts() for one in TARGETS]})

    assert [one["met"] for one in json.loads(path.read_text())["targets"]] == [True, False, None]
    assert len(path.read_text().splitlines()) == len(TARGETS) + 4


def test_targets_are_shown_with_how_many_are_met(capsys: pytest.CaptureFixture[str]) -> None:
    """What was not measured is neither met nor missed."""
    terminal.show_targets(TARGETS)

    assert "1 met, 1 missed, 1 not measured." in capsys.readouterr().out


def test_ratio_compares_the_medians_of_pairs() -> None:
    """One slow repeat does not decide."""
    ours, theirs = iter([2.0, 9.0, 2.2]), iter([1.0, 1.1, 4.0])

    found, words = ratio(lambda: next(ours), lambda: next(theirs))

    assert found == pytest.approx(2.0)
    assert words == "2.00 x (2.200 s, 1.100 s)"


def test_unit_meter_counts_a_kib_of_each_row_twice_in_a_transaction() -> None:
    """As DynamoDB charges it: an update costs what the row's size is."""
    meter = UnitMeter()

    meter.count("PutItem", json.dumps(_put("a", 1_500)))
    transaction = {"TransactItems": [{"Put": _put("b", 10)}, {"Update": {"Key": _key("a")}}]}
    meter.count("TransactWriteItems", json.dumps(transaction))
    meter.count("GetItem", "not read at all")

    assert meter.units == 2 + 2 * (1 + 2)


def test_unit_meter_leaves_the_budget_out() -> None:
    """What the pace costs is no part of the ledger's account."""
    meter = UnitMeter()

    meter.count("UpdateItem", json.dumps({"Key": {"pk": {"S": "budget"}, "sk": {"S": "posts"}}}))

    assert meter.units == 0


def test_program_refuses_what_it_cannot_measure() -> None:
    """The message names what it can."""
    result = CliRunner().invoke(app, ["promises", "nothing"])

    assert result.exit_code == 1
    assert "unknown nothing; expected some of closings" in result.stderr


def _key(sort_key: str) -> dict[str, object]:
    return {"pk": {"S": "p"}, "sk": {"S": sort_key}}
