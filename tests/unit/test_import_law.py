"""The law of imports: which room of the house may import which.

Imports go down only, and never in a circle. A room is a package or a module; what is in no room of
its own belongs to the room around it. A module may import its own room, and what the law allows: a
name there stands for the module and for all below it. An exception is a room of one module.
"""

import sys
from functools import cache
from pathlib import Path

import pytest

from tests.support.imports import Import, Sources, circle

ROOT = Path(__file__).parents[2]
FOLDERS = ("app.py", "lambdas", "stacks", "crier", "testbed", "bench", "tests")

FUNCTIONS = (
    *("broadcasting", "delivery", "storage", "access", "slices", "clients", "handlers"),
    *("wiring", "early_building", "system_clock", "settings", "log", "metrics"),
    *("authorizer_wiring", "authorizer_metrics", "client_frame_wiring", "failures"),
)
LAW: dict[str, tuple[str, ...]] = {
    "broadcasting": (),
    "broadcasting.pacing": ("broadcasting",),
    "delivery": ("broadcasting", "delivery.http"),
    "delivery.http": ("broadcasting.clock",),
    "storage": ("broadcasting",),
    "access": ("broadcasting",),
    "slices": ("broadcasting", "delivery.fan_out", "storage"),
    "clients": ("broadcasting", "storage"),
    "handlers": (
        *("broadcasting", "slices", "storage.connections", "storage.errors"),
        *("wiring", "early_building", "log", "metrics"),
    ),
    "handlers.authorize": (
        *("access", "handlers.authorizer_event", "storage.errors", "authorizer_wiring"),
        *("authorizer_metrics", "early_building", "failures", "settings", "log"),
    ),
    "handlers.client_frame": (
        *("broadcasting", "handlers.client_event", "handlers.events"),
        *("storage.error_codes", "storage.errors"),
        *("client_frame_wiring", "early_building", "failures", "settings", "log"),
    ),
    "handlers.authorizer_event": ("access", "broadcasting", "handlers.events"),
    "wiring": ("broadcasting", "delivery", "storage", "slices", "settings", "system_clock", "log"),
    "authorizer_wiring": (
        *("access", "broadcasting.clock", "storage", "failures", "settings", "system_clock", "log"),
    ),
    "client_frame_wiring": ("broadcasting.clock", "clients", "storage", "settings", "system_clock"),
    "authorizer_metrics": ("access.refusal",),
    "early_building": ("log",),
    "failures": (),
    "system_clock": ("broadcasting.clock",),
    "metrics": ("broadcasting", "slices"),
    "settings": ("access.key_url", "broadcasting.channel_patterns"),
    "log": (),
    "app": ("crier.installed", "stacks"),
    "stacks": ("stacks.parts",),
    "stacks.parts": ("stacks.producers", "stacks.settings"),
    "crier": ("crier",),
    "crier.commands": ("broadcasting", "crier"),
    "crier.commands.local_settings": ("crier", "stacks.context_files", "stacks.settings"),
    "crier.commands.probe": ("broadcasting", "crier", "delivery.http", "delivery.signing"),
    "crier.deployed": ("broadcasting", "crier.errors", "crier.wording"),
    "crier.demo": ("broadcasting", "crier.deployed", "crier.errors", "crier.wording"),
    "crier.listening": ("broadcasting", "crier.errors"),
    "crier.local": (
        *("broadcasting", "crier.deployed", "crier.errors"),
        *("crier.files", "crier.installed", "crier.paths"),
    ),
    "testbed": (*FUNCTIONS, "crier", "stacks.parts", "testbed"),
    "testbed.stand_in": (),
    "testbed.model": ("broadcasting", "delivery", "storage", "testbed.units"),
    "bench": (*FUNCTIONS, "crier", "testbed", "bench"),
    "bench.simulate": (
        *("bench", "broadcasting", "testbed.stand_in.token_bucket"),
        "crier.listening.waits",
    ),
    "tests": (*FUNCTIONS, "app", "stacks", "crier", "testbed", "bench"),
}
BARRED_FROM_FLOOR_0 = {
    *("asyncio", "concurrent", "datetime", "http", "io", "logging", "multiprocessing", "os"),
    *("pathlib", "queue", "random", "secrets", "select", "selectors", "socket", "ssl"),
    *("subprocess", "tempfile", "threading", "time", "urllib"),
}
"""Clocks, chance, I/O and threads: the pure rules take what they need as arguments."""

SOURCES = Sources(ROOT, FOLDERS)


@cache
def _graph() -> dict[str, list[Import]]:
    """Return what each module imports: read by the first test that asks, as it takes seconds."""
    return {module: SOURCES.ours(module) for module in SOURCES.modules}


@cache
def _room_of(module: str) -> str | None:
    """Return the smallest room that a module is in, None when it is in none."""
    return max((room for room in LAW if _is_below(module, room)), key=len, default=None)


def _is_below(module: str, name: str) -> bool:
    return module == name or module.startswith(f"{name}.")


def _breaks_law(one: Import) -> bool:
    room = _room_of(one.module)
    if room is None or _room_of(one.target) == room:
        return False
    return not any(_is_below(one.target, name) for name in LAW[room])


def _shown_law() -> str:
    width = max(map(len, LAW))
    rows = (f"  {room:{width}}  {', '.join(LAW[room]) or 'nothing else'}" for room in LAW)
    return "\n".join(["A module may import its own room, and:", *rows])


def _fail_with_law(problem: str, imports: list[Import]) -> None:
    shown = "\n".join(f"  {one} (room {_room_of(one.module)})" for one in imports)
    pytest.fail(f"{problem}:\n{shown}\n\n{_shown_law()}", pytrace=False)


@pytest.mark.parametrize("room", LAW)
def test_room_imports_only_what_the_law_allows(room: str) -> None:
    """Lower floors know nothing of upper ones, infrastructure nothing of the functions.

    `crier probe` alone connects and signs as the functions do: to say what they meet. `crier
    local` alone checks deploy settings as the app does: before it starts anything.
    """
    modules = [module for module in _graph() if _room_of(module) == room]

    broken = [one for module in modules for one in _graph()[module] if _breaks_law(one)]

    assert modules, f"room {room} is empty: take it out of the law"
    if broken:
        _fail_with_law("Imports that break the law", broken)


def test_every_module_is_in_a_room() -> None:
    """A new package gets a line in the law."""
    assert [module for module in _graph() if _room_of(module) is None] == []


def test_modules_do_not_import_each_other_in_a_circle() -> None:
    """TYPE_CHECKING and a function around an import hide a circle, and do not end it."""
    found = circle(_graph())

    if found:
        _fail_with_law("Imports that lead in a circle", found)


def test_package_imports_none_of_its_own_modules() -> None:
    """Python runs a package before each of its modules: an import of one leads in a circle."""
    packages = [name for name, path in SOURCES.modules.items() if path.name == "__init__.py"]

    broken = [one for name in packages for one in _graph()[name] if _is_below(one.target, name)]

    assert packages
    if broken:
        _fail_with_law("Packages that import modules of their own", broken)


def test_floor_0_imports_the_standard_library_only() -> None:
    """It has no clock, no chance, no I/O and no threads."""
    broken = _imports_but_for("broadcasting", BARRED_FROM_FLOOR_0)

    if broken:
        _fail_with_law("Imports that floor 0 may not have", broken)


def test_access_has_no_clock_and_does_no_io_but_for_one_module() -> None:
    """`access.key_fetch` fetches; the rules take what it brings, and the time, as arguments."""
    pure = ("cryptography.", "jwt.", "urllib.parse.")
    imports = _imports_but_for("access", BARRED_FROM_FLOOR_0)
    rules = [one for one in imports if one.module != "access.key_fetch"]
    broken = [one for one in rules if not f"{one.target}.".startswith(pure)]

    if broken:
        _fail_with_law("Imports that the rules of access may not have", broken)


def test_delivery_imports_no_library() -> None:
    """The standard library posts; what else a function loads is a part of its cold start."""
    broken = _imports_but_for("delivery", set())

    if broken:
        _fail_with_law("Libraries that delivery may not import", broken)


def _imports_but_for(room: str, barred: set[str]) -> list[Import]:
    """Return the imports of a room that are neither of ours nor of the standard library's rest."""
    allowed = (sys.stdlib_module_names - barred) | {"broadcasting", room}
    modules = [module for module in _graph() if _is_below(module, room)]
    assert modules
    imports = [one for module in modules for one in SOURCES.imports(module)]
    return [one for one in imports if one.target.split(".")[0] not in allowed]


def _written(root: Path, **files: str) -> Sources:
    """Write modules of floor 0 and of two other rooms; return their sources."""
    for name, text in files.items():
        path = root / "lambdas" / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.with_suffix(".py").write_text(text)
    return Sources(root, ("lambdas",))


@pytest.mark.parametrize(
    "text",
    [
        "import storage.errors",
        "from storage import errors",
        "from storage.errors import StorageError",
        "def late():\n    import storage.errors",
        "if TYPE_CHECKING:\n    from storage.errors import StorageError",
        "import_module('storage.errors')",
        "importlib.import_module('storage.errors')",
        "import_module(name='storage.errors')",
        "__import__('storage.errors')",
        "from lambdas.storage import errors",
        "import lambdas.storage.errors",
    ],
)
def test_law_sees_every_way_to_import(tmp_path: Path, text: str) -> None:
    """Wherever an import stands, and however it is written."""
    sources = _written(tmp_path, delivery__post=text, storage__errors="")

    (found,) = sources.ours("delivery.post")

    assert _breaks_law(found)
    assert str(found).startswith("lambdas/delivery/post.py:")
    assert str(found).endswith(" imports storage.errors")


def test_law_allows_no_relative_import(tmp_path: Path) -> None:
    """The whole name says which room is meant."""
    sources = _written(tmp_path, delivery__post="from . import session")

    with pytest.raises(ValueError, match=r"post\.py:1 is relative, expected the whole name"):
        sources.imports("delivery.post")


def test_law_finds_a_circle(tmp_path: Path) -> None:
    """It names the imports of the circle only, not the way that leads there."""
    sources = _written(
        tmp_path,
        delivery__a="import delivery.b",
        delivery__b="import delivery.c\nimport delivery.d",
        delivery__c="",
        delivery__d="def late():\n    import delivery.b",
    )

    found = circle({module: sources.ours(module) for module in sources.modules})

    assert [(one.module, one.target) for one in found] == [
        ("delivery.b", "delivery.d"),
        ("delivery.d", "delivery.b"),
    ]


def test_law_is_printed_with_the_import_that_breaks_it(tmp_path: Path) -> None:
    """The reader of a failure need not look the law up."""
    sources = _written(tmp_path, storage__a="import delivery.b", delivery__b="")

    with pytest.raises(pytest.fail.Exception) as failure:
        _fail_with_law("Imports that break the law", sources.ours("storage.a"))

    assert "lambdas/storage/a.py:1 imports delivery.b (room storage)" in str(failure.value)
    assert f"  {'storage':{max(map(len, LAW))}}  broadcasting\n" in str(failure.value)
