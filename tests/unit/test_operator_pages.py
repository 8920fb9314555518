"""What the pages for operators say of the code is true."""

import json
import re
from dataclasses import fields
from pathlib import Path

from access.refusal import Refusal
from delivery.selector_fan_out import IN_FLIGHT, MOST_CONNECTIONS
from stacks.parts.keep_alive import BROADCAST
from stacks.parts.pace import REGIONS_OF_LOW_QUOTA
from stacks.settings import DeploySettings

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
DEPLOY = (DOCS / "operator" / "deploy.md").read_text()
RUNNING = (DOCS / "operator" / "running.md").read_text()


def _named_in(pattern: str, *paths: Path) -> set[str]:
    """Return what a pattern finds in source files."""
    return {name for path in paths for name in re.findall(pattern, path.read_text())}


def test_operators_are_told_every_metric() -> None:
    """Each metric that is published is in the table, and what all of them cost."""
    names = _named_in(r'"([A-Z][A-Za-z]+)"(?:: |,\s+unit)', ROOT / "lambdas" / "metrics.py")
    names |= _named_in(r'_publish\("(\w+)"', ROOT / "lambdas" / "authorizer_metrics.py")

    missing = sorted(name for name in names if f"`{name}`" not in RUNNING)

    assert missing == []
    assert f"| {len(names)} of them: ${len(names) * 0.3:.2f} a month, and" in RUNNING


def test_operators_are_told_why_a_client_is_refused() -> None:
    """Each reason that the authorizer has is in the table, and no other."""
    table = RUNNING.split("### Why a client is refused\n")[1].split("\n### ")[0]
    told = [
        name
        for cell in re.findall(r"^\|([^|]*)\|", table, re.MULTILINE)
        for name in re.findall(r"`([a-z-]+)`", cell)
    ]

    assert sorted(told) == sorted([*Refusal, "reason"])


def test_operators_are_told_what_to_do_when_the_authorizer_cannot_decide() -> None:
    """Each error of keys and secrets is in the table, by the words that it begins with."""
    table = RUNNING.split("### When the authorizer cannot decide\n")[1].split("\n## ")[0]
    files = [*(ROOT / "lambdas" / "access").glob("key_*.py"), ROOT / "lambdas/storage/secret.py"]
    error = r'(?:Keys|Read)Error\(\s*f?"(the (?:keys|key set|secret) \w+|none of)'

    begins = _named_in(error, *files)

    assert len(begins) >= 7
    assert sorted(one for one in begins if one not in table) == []


def test_operators_are_told_every_log_line() -> None:
    """Each message that a function logs is in the tables."""
    lambdas = (ROOT / "lambdas").rglob("*.py")
    written = r'(?:logger\.\w+|log_receipt)\(\s*"([^"]+)"'
    names = _named_in(written, *lambdas) | {
        "opened",
        "resumed",
        "taken up",
        "slice closed",
        "slice handed over",
        "broken off",
        "lease lost",
        "stopped early",
    }

    missing = sorted(name for name in names if f"`{name}`" not in RUNNING)

    assert len(names) > 20
    assert missing == []


def test_deploy_lists_every_setting() -> None:
    """With the bounds that are checked, or the names that are allowed."""
    table = DEPLOY.split("## Settings\n")[1].split("\n## ")[0]

    for field in fields(DeploySettings):
        first, *others = field.name.split("_")
        name = first + "".join(word.capitalize() for word in others)
        assert f"| `{name}` |" in table


def test_deploy_tells_the_measured_number_of_posts_in_flight() -> None:
    """It stands in the engine, in the settings and on the page."""
    in_flight = f"{DeploySettings().posts_in_flight:,}"

    assert DeploySettings().posts_in_flight == IN_FLIGHT
    assert f"| `postsInFlight` | {in_flight} | {in_flight} | 1-4,096 |" in DEPLOY
    assert f"at most {MOST_CONNECTIONS} go at once" in DEPLOY


def test_deploy_names_the_regions_of_low_quota() -> None:
    """All of them, and what the default is there."""
    low = REGIONS_OF_LOW_QUOTA

    assert f"{', '.join(low[:-1])} and {low[-1]}" in DEPLOY
    assert len(low) == 13


def test_deploy_lists_every_output() -> None:
    """Each output of the stack has its row, and no other has one."""
    table = DEPLOY.split("## Outputs\n")[1].split("\n## ")[0]
    stack = (ROOT / "stacks" / "broadcast_stack.py").read_text().split("outputs = {")[1]

    written = re.findall(r'"([A-Z]\w+)": \(', stack)

    assert len(written) > 5
    assert sorted(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == sorted(written)


def test_operations_tell_the_tables_by_their_logical_ids_and_the_keep_alive_as_it_is() -> None:
    """What an operator types, and what an application compares with."""
    mapping, *_ = (
        json.loads(block)
        for block in re.findall(r"```json\n(.*?)```", DEPLOY, re.DOTALL)
        if "TableName" in block
    )
    ids = (ROOT / "tests/unit/stacks/test_stack_resources.py").read_text()

    assert all(f'"{id_}"' in ids for id_ in mapping)
    assert f"```json\n{json.dumps(BROADCAST)}\n```" in RUNNING
