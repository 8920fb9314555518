"""The layer is made of the packages of whatever environment there is, or refused."""

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from stacks.parts import dependencies
from stacks.parts.dependencies import DependencyError, make_once, stage

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


def test_layer_of_another_synth_is_taken_when_that_was_faster(tmp_path: Path) -> None:
    """Both make the same one; the slower finds it in its place."""
    target = tmp_path / "build" / "layer"

    def fill(staged: Path) -> None:
        staged.mkdir()
        (target / "python").mkdir(parents=True)

    assert make_once(target, fill) == target
    assert [path.name for path in (tmp_path / "build").iterdir()] == ["layer"]
    assert (target / "python").is_dir()


def test_layer_is_refused_when_its_folder_cannot_be_made(install: Install, tmp_path: Path) -> None:
    """As in a checkout that is read only; no traceback, and nothing half done."""
    install("example/__init__.py")
    (tmp_path / "build").write_text("")

    with pytest.raises(DependencyError, match=r"build.* cannot be made \(.*File exists.*\): see"):
        stage(tmp_path / "build")
