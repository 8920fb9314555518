"""The JavaScript client: its own tests, its types, its size, and what npm would publish of it."""

import gzip
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from crier.paths import ROOT

WEB = ROOT / "web"
TESTS = ROOT / "tests" / "web"
PROGRAMS = WEB / "node_modules" / ".bin"
ENVIRONMENT = {**os.environ, "PATH": f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"}
"""With the Node of this folder."""

MOST_MINIFIED_BYTES = 12_288
MOST_GZIP_BYTES = 5_120
"""12 and 5 KB."""

pytestmark = pytest.mark.skipif(
    not PROGRAMS.exists() and not os.environ.get("CRIER_REQUIRE_SERVERS"),
    reason="web/node_modules is not there: make web-setup",
)


def run(*command: str | Path, folder: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    """Run a program of Node's."""
    return subprocess.run(
        command, capture_output=True, check=False, cwd=folder, env=ENVIRONMENT, text=True
    )


def test_crier_js_passes_its_tests_and_each_branch_is_run() -> None:
    """They run under Node's own runner, with a fake socket and a fake clock."""
    kinds = ("branches", "functions", "lines")

    done = run(
        "node",
        "--test",
        "--test-timeout=60000",
        "--experimental-test-coverage",
        *(f"--test-coverage-{kind}=100" for kind in kinds),
        "--test-coverage-include=web/crier.js",
        *map(str, sorted(TESTS.glob("*.test.mjs"))),
    )

    assert done.returncode == 0, done.stdout[-5_000:] + done.stderr


def test_crier_js_is_small(tmp_path: Path) -> None:
    """What a page has to load, minified and packed."""
    minified = tmp_path / "crier.min.js"

    done = run(
        PROGRAMS / "terser",
        WEB / "crier.js",
        *("--module", "--compress", "passes=3", "--mangle", "--output", minified),
    )

    assert done.returncode == 0, done.stderr
    text = minified.read_bytes()
    assert len(text) <= MOST_MINIFIED_BYTES
    assert len(gzip.compress(text, 9)) <= MOST_GZIP_BYTES


def wrong_lines(program: Path, folder: Path) -> set[int]:
    """Return the lines of a program that TypeScript refuses."""
    config = {
        "extends": str(WEB / "tsconfig.json"),
        "files": [str(program)],
        "compilerOptions": {"paths": {"crier-client": [str(WEB / "crier.d.ts")]}},
    }
    (folder / "tsconfig.json").write_text(json.dumps(config))
    done = run(PROGRAMS / "tsc", "--pretty", "false", "--project", folder)
    errors = [line for line in done.stdout.splitlines() if ": error TS" in line]
    found = [re.search(rf"{program.name}\((\d+),\d+\): error TS", line) for line in errors]
    assert all(found), done.stdout
    assert bool(errors) == bool(done.returncode), done.stdout + done.stderr
    return {int(one[1]) for one in found if one}


def test_types_take_a_right_program(tmp_path: Path) -> None:
    """All options, events and calls are in it."""
    assert wrong_lines(TESTS / "types" / "good.ts", tmp_path) == set()


def test_types_refuse_each_mistake(tmp_path: Path) -> None:
    """Each line that says what is wrong with it is refused, and no other."""
    program = TESTS / "types" / "bad.ts"
    lines = program.read_text().splitlines()
    expected = {number for number, line in enumerate(lines, 1) if "; // " in line}

    assert len(expected) > 15
    assert wrong_lines(program, tmp_path) == expected


def test_package_has_the_client_and_nothing_else() -> None:
    """Npm lists what it would publish."""
    done = run("npm", "pack", "--dry-run", "--json", "--offline", folder=WEB)

    listed = {one["path"] for one in json.loads(done.stdout)[0]["files"]}

    assert listed == {"crier.js", "crier.d.ts", "package.json", "README.md", "LICENSE"}
    assert (WEB / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()


def test_package_is_found_by_its_name() -> None:
    """A program imports it so; its types lie beside it."""
    package = json.loads((WEB / "package.json").read_text())
    program = "console.log(Object.keys(await import('crier-client')).join())"

    done = run("node", "--input-type=module", "--eval", program, folder=WEB)

    assert done.stdout == "Crier,UnauthorizedError,followChannel\n", done.stderr
    exported = package["exports"]["."]
    assert package["types"] == exported["types"]
    assert all((WEB / path).is_file() for path in exported.values())
