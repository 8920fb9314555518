"""The layer that `auth=jwt` really deploys, made of the wheels of the package index."""

from importlib.metadata import distribution
from pathlib import Path

import pytest

from stacks.parts import dependencies, jwt_layer

AARCH64 = (183).to_bytes(2, "little")
"""What the header of a file of compiled code has at its byte 18, for Lambda's arm64."""

MOST_BYTES = 20_000_000
"""Lambda takes 250 MB; a function that starts slowly lets clients wait.

https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
"""

pytestmark = pytest.mark.timeout(360)


@pytest.fixture(scope="module")
def layer() -> Path:
    """Return the folder of the layer; the wheels are fetched unless `make setup` has done it."""
    return jwt_layer.stage(jwt_layer._STAGED, wheels=jwt_layer._WHEELS)


def test_layer_is_compiled_for_lambda(layer: Path) -> None:
    """Each compiled file is for arm64, and for the runtime's Python or for all of them."""
    compiled = list(layer.rglob("*.so"))

    heads = [path.read_bytes()[:20] for path in compiled]

    assert len(compiled) == 2
    assert {head[:4] for head in heads} == {b"\x7fELF"}
    assert {head[18:20] for head in heads} == {AARCH64}
    assert {path.name.split(".", 1)[1] for path in compiled} == {
        "abi3.so",
        "cpython-313-aarch64-linux-gnu.so",
    }
    assert sum(path.stat().st_size for path in layer.rglob("*")) < MOST_BYTES


def test_layer_repeats_nothing_of_the_layer_of_all_functions(layer: Path) -> None:
    """Of two files of one name, Python would load that of the layer which comes first."""
    common = dependencies.stage(dependencies._STAGED)

    names = {path.name for path in (layer / "python").iterdir()}

    assert names == {"_cffi_backend.cpython-313-aarch64-linux-gnu.so", "cffi", "cryptography"} | {
        "jwt",
        "pycparser",
    }
    assert names & {path.name for path in (common / "python").iterdir()} == set()


def test_layer_has_the_modules_that_the_tests_run_with(layer: Path) -> None:
    """The wheel for Lambda and the installed package are one release: PyJWT is the same bytes."""
    installed = distribution("PyJWT")
    sources = [file for file in installed.files or () if file.parts[0] == "jwt"]
    modules = [file for file in sources if file.suffix == ".py"]

    different = [
        str(file)
        for file in modules
        if (layer / "python" / file).read_bytes() != Path(str(file.locate())).read_bytes()
    ]

    assert len(modules) > 5
    assert different == []
