"""What builds crier, and what it needs, is said in several files: they say the same."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

from tests.support.imports import Sources

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


SOURCES = Sources(ROOT, ("crier", "lambdas"))


def _pins(file: str) -> dict[str, str]:
    """Return the versions of a file of requirements, by the packages' names."""
    return dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / file).read_text(), re.MULTILINE))


def test_crier_is_built_by_one_version_in_every_way() -> None:
    """`make setup` builds it with what requirements-dev.txt has, `pip install .` with this pin."""
    (backend,) = PROJECT["build-system"]["requires"]

    assert backend == f"hatchling=={_pins('requirements-dev.txt')['hatchling']}"
    assert backend == f"hatchling=={_pins('constraints.txt')['hatchling']}"


def test_crier_needs_what_the_requirements_have() -> None:
    """The versions that are tested are among those that an installation may have."""
    pins = _pins("requirements.txt")

    for text in PROJECT["project"]["dependencies"]:
        needed = Requirement(text)
        assert needed.specifier.contains(pins[needed.name])


def test_installation_has_what_the_command_line_imports_of_the_functions() -> None:
    """Each package of `lambdas` that a command reads, and what those read in turn, is in the wheel.

    A release that lacks one works in a checkout only.
    """
    packed = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    reached = [name for name in SOURCES.modules if name.split(".")[0] == "crier"]

    for module in reached:  # grows
        reached += [one.target for one in SOURCES.ours(module) if one.target not in reached]

    rooms = {name.split(".")[0] for name in reached} - {"crier"}
    assert rooms == {"broadcasting", "delivery"}
    assert {"crier", *(f"lambdas/{room}" for room in rooms)} == set(packed)
