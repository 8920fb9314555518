"""For all tests: Node of the virtual environment, this tree, no deadline on a busy machine."""

import gc
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from xdist.scheduler import LoadFileScheduling  # type: ignore[import-untyped]

from tests.support.botocore_data import shared_botocore_data

# The CDK's core starts Node when it is imported, in whichever test file comes first.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"

# What the tests start imports this very tree: git worktrees may share one environment, into which
# crier is installed from another folder.
_ROOT = Path(__file__).parents[1]
os.environ["PYTHONPATH"] = f"{_ROOT / 'lambdas'}{os.pathsep}{_ROOT}"

settings.register_profile("crier", deadline=None)
settings.load_profile("crier")

_TOGETHER = ("tests/unit/stacks/", "tests/unit/bench/", "tests/web/local/")
"""Folders whose files share what is slow to start: the CDK's core, matplotlib, a local AWS."""

_FIRST = (
    *("tests/faults/", "tests/web/local/", "tests/local/", "tests/histories/", "tests/setup/"),
    *("tests/permissions/", "tests/interop/", "tests/bench/"),
    *("tests/unit/stacks/", "tests/unit/bench/"),
)
"""Folders in which a file takes long: quick files fill what remains of the workers' time."""


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Let several workers begin with what takes long."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: _place(item.nodeid))


def _place(nodeid: str) -> int:
    """Return the place of a test's folder among those that come first, or after them."""
    places = (place for place, folder in enumerate(_FIRST) if nodeid.startswith(folder))
    return next(places, len(_FIRST))


class _LoadFolders(LoadFileScheduling):  # type: ignore[misc]
    """Gives each file to one worker, and all files of some folders to the same one."""

    def _split_scope(self, nodeid: str) -> str:
        folder = next((one for one in _TOGETHER if nodeid.startswith(one)), None)
        return folder or str(super()._split_scope(nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadFileScheduling | None:
    """Schedule by `--dist loadfile`, with some folders kept together, in the order of above."""
    if config.getvalue("dist") != "loadfile":
        return None
    config.option.loadscopereorder = False  # else the files with the most tests would be first
    return _LoadFolders(config, log)


def pytest_collection_finish() -> None:
    """Let no collection of garbage walk over what all tests are made of: it takes a tenth of all.

    What a test makes is collected as ever.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def botocore_data() -> Iterator[None]:
    """Let botocore read each of its files once: most sessions of the tests are new ones."""
    with shared_botocore_data():
        yield
