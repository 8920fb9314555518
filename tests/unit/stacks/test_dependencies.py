"""The layer is made of the packages of whatever environment there is, or refused."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from stacks.parts import dependencies
from stacks.parts.dependencies import DependencyError, stage

Install = Callable[[str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Return what installs the one package that the functions need, with these files listed."""
    site = tmp_path / "site-packages"
    metadata = site / "crier_example-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: crier-example\nVersion: 1.0\n")
    monkeypatch.setattr(sys, "path", [str(site), *sys.path])
    monkeypatch.setattr(dependencies, "ROOTS", ("crier-example",))

    def listing(files: str) -> None:
        for name in files.split():
            (site / name).parent.mkdir(exist_ok=True)
            (site / name).write_text("")
        (metadata / "RECORD").write_text("".join(f"{name},,\n" for name in files.split()))

    return listing


def staged(folder: Path) -> list[str]:
    """Return the files of the layer."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*.py"))


def test_layer_is_what_the_installed_packages_list(install: Install, tmp_path: Path) -> None:
    """It has their modules below `python/`, where Lambda looks."""
    install("example/__init__.py example/part.py single.py")

    folder = stage(tmp_path / "build")

    assert folder.name == "crier-example-1.0"
    assert staged(folder) == [
        "python/example/__init__.py",
        "python/example/part.py",
        "python/single.py",
    ]


@pytest.mark.usefixtures("install")
def test_layer_is_refused_when_a_package_lists_no_files(tmp_path: Path) -> None:
    """An empty layer would deploy, and every function fail: a distribution's packages are so."""
    with pytest.raises(DependencyError) as caught:
        stage(tmp_path / "build")

    assert "crier-example has no list of its files" in str(caught.value)
    assert "pip or uv in a virtual environment" in str(caught.value)
    assert list((tmp_path / "build").iterdir()) == []


@pytest.mark.parametrize("name", ["example/fast.so", "example/fast.pyd"])
def test_layer_is_refused_when_a_package_is_compiled(
    install: Install, tmp_path: Path, name: str
) -> None:
    """Compiled code is for the machine that deploys, not for Lambda."""
    install(f"example/__init__.py {name}")

    with pytest.raises(DependencyError, match=f"{name} is compiled"):
        stage(tmp_path / "build")

    assert list((tmp_path / "build").iterdir()) == []
