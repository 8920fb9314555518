"""Which floor may import which."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LAMBDAS = ROOT / "lambdas"
OURS = {path.stem for path in LAMBDAS.iterdir()} | {"stacks", "crier", "lambdas"}


def _imports(path: Path) -> set[str]:
    found = set[str]()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: no relative imports"
            found.add((node.module or "").split(".")[0])
    return found


@pytest.mark.parametrize(
    ("floor", "allowed"),
    [
        (LAMBDAS / "broadcasting", {"broadcasting"}),
        (LAMBDAS / "delivery", {"broadcasting", "delivery"}),
        (LAMBDAS / "storage", {"broadcasting", "storage"}),
        (ROOT / "stacks", {"stacks"}),
        (ROOT / "crier", {"broadcasting", "crier"}),
    ],
    ids=lambda value: value.name if isinstance(value, Path) else "",
)
def test_floor_imports_only_what_it_may(floor: Path, allowed: set[str]) -> None:
    """Lower floors know nothing of upper ones, infrastructure nothing of the functions."""
    files = list(floor.rglob("*.py"))

    found = {path.name: (_imports(path) & OURS) - allowed for path in files}

    assert files
    assert {name: names for name, names in found.items() if names} == {}
