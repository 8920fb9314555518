"""The libraries that the functions need and the Lambda runtime lacks, as a layer.

They are copied from the pinned packages of this environment: no Docker, no network, no pip.
"""

import shutil
from collections.abc import Callable, Iterator
from importlib.metadata import Distribution, PackagePath, distribution
from pathlib import Path
from tempfile import TemporaryDirectory

from aws_cdk import aws_lambda as lambda_
from constructs import Construct
from packaging.requirements import Requirement

ROOTS = ("aws-lambda-powertools",)
"""boto3 comes with the Lambda runtime."""

_STAGED = Path(__file__).parents[2] / "build" / "dependencies"


class DependencyError(Exception):
    """A layer cannot be made of what there is; the message says why."""


class Dependencies(Construct):
    """A layer with the functions' libraries. They are pure Python, so any machine can stage it."""

    def __init__(self, scope: Construct, id_: str) -> None:
        super().__init__(scope, id_)
        self.layer = lambda_.LayerVersion(
            self,
            "Layer",
            code=lambda_.Code.from_asset(str(stage(_STAGED))),
            compatible_architectures=[lambda_.Architecture.ARM_64],
            compatible_runtimes=[lambda_.Runtime.PYTHON_3_13],
            description="The libraries of Crier's functions",
        )


def stage(folder: Path) -> Path:
    """Return a folder inside `folder` with the packages as a layer has them, below `python/`.

    It is named after the versions in it, and made once: its content is reproducible, and two
    synths at a time do not disturb each other. Raises DependencyError for a package with compiled
    code, which would not run on Lambda's arm64, and for one whose files are not known.
    """
    packages = _needed(ROOTS)
    target = folder / "-".join(f"{package.name}-{package.version}" for package in packages)

    def fill(staged: Path) -> None:
        for package in packages:
            _copy(package, staged / "python")

    return make_once(target, fill)


def make_once(target: Path, fill: Callable[[Path], object]) -> Path:
    """Return a folder that `fill` has filled, in this run or in an earlier one, and wholly.

    Of two synths at a time the first one makes it. Raises DependencyError when it cannot be made.
    """
    if target.exists():
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=target.parent) as temporary:
            staged = Path(temporary) / "staged"
            fill(staged)
            _put(staged, target)
    except OSError as error:
        raise DependencyError(
            f"the layer {target} cannot be made ({error}): see that this user may write there, "
            "and that no file stands in the place of a folder"
        ) from error
    return target


def _put(staged: Path, target: Path) -> None:
    try:
        staged.rename(target)
    except OSError:
        if not target.is_dir():  # else another synth was faster
            raise


def _copy(package: Distribution, target: Path) -> None:
    for file in _sources(package):
        destination = target / file
        destination.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(str(file.locate()), destination)


def _needed(names: tuple[str, ...]) -> list[Distribution]:
    """Return the named packages and all that they need, extras aside."""
    found: dict[str, Distribution] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found[name] = distribution(name)
        requirements = map(Requirement, found[name].requires or ())
        waiting += [
            one.name for one in requirements if not one.marker or one.marker.evaluate({"extra": ""})
        ]
    return [found[name] for name in sorted(found)]


def _sources(package: Distribution) -> Iterator[PackagePath]:
    if not package.files:  # so it is in what a Linux distribution packages
        raise DependencyError(
            f"{package.name} has no list of its files (RECORD) in {package.locate_file('')}: "
            "install requirements.txt with pip or uv in a virtual environment, and activate that"
        )
    for file in package.files:
        if file.suffix in (".so", ".pyd"):
            raise DependencyError(
                f"{file} is compiled, and the layer takes packages in pure Python only: install "
                f"{package.name} without compiled code"
            )
        is_generated = "__pycache__" in file.parts or ".." in file.parts
        is_metadata = file.parts[0].endswith(".dist-info")
        if not is_generated and not is_metadata:
            yield file
