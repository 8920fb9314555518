"""Which module of this repository imports which, read from the source."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Import:
    """One import: the place of the statement, the module that it is in, and its target."""

    path: str
    line: int
    module: str
    target: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line} imports {self.target}"


class Sources:
    """The Python files of a repository, by the names under which they are imported.

    `lambdas` is a root of imports, as it is in a function; so is the repository.
    """

    def __init__(self, root: Path, folders: tuple[str, ...]) -> None:
        self._root = root
        files = [path for folder in folders for path in _python_files(root / folder)]
        self.modules = {_module_of(path.relative_to(root)): path for path in files}

    def imports(self, module: str) -> list[Import]:
        """Return the imports of a module, of all modules: ours, Python's and others'.

        Imports inside functions and under TYPE_CHECKING count, as does a literal name that is
        passed to `import_module` or `__import__`. Raises ValueError for a relative import.
        """
        path = self.modules[module]
        shown = path.relative_to(self._root).as_posix()
        found = (
            Import(shown, line, module, self._resolved(name, part))
            for line, name, part in _names(ast.parse(path.read_text()), shown)
        )
        return list(dict.fromkeys(found))

    def ours(self, module: str) -> list[Import]:
        """Return the imports of a module that are of modules of this repository."""
        found = self.imports(module)
        return [one for one in found if one.target in self.modules and one.target != module]

    def _resolved(self, name: str, part: str) -> str:
        """Return the module that `from name import part` reads: a part may be one itself.

        A functions' module is the same one when it is reached from the repository's root.
        """
        whole = (f"{name}.{part}" if part else name).removeprefix("lambdas.")
        name = name.removeprefix("lambdas.")
        return whole if whole in self.modules else name


def circle(graph: dict[str, list[Import]]) -> list[Import]:
    """Return imports that lead from a module back to itself, none when there is no circle."""
    done = set[str]()
    for start in graph:
        if found := _circle_from(start, graph, [], done):
            return found
    return []


def _circle_from(
    module: str, graph: dict[str, list[Import]], way: list[Import], done: set[str]
) -> list[Import]:
    """Go on along a way; modules that are `done` lead into no circle."""
    for place, one in enumerate(way):
        if one.module == module:
            return way[place:]
    if module in done:
        return []
    for one in graph[module]:
        if found := _circle_from(one.target, graph, [*way, one], done):
            return found
    done.add(module)
    return []


def _python_files(place: Path) -> list[Path]:
    if place.is_file():
        return [place]
    files = sorted(place.rglob("*.py"))
    return [path for path in files if "node_modules" not in path.parts]


def _module_of(path: Path) -> str:
    parts = path.with_suffix("").parts
    parts = parts[1:] if parts[0] == "lambdas" else parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _names(tree: ast.AST, shown: str) -> Iterator[tuple[int, str, str]]:
    """Yield the line, the module's name and the part of it that is imported."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ValueError(f"{shown}:{node.lineno} is relative, expected the whole name")
            yield from ((node.lineno, node.module or "", alias.name) for alias in node.names)
        elif isinstance(node, ast.Call) and _callee(node) in ("import_module", "__import__"):
            passed = (*node.args, *(keyword.value for keyword in node.keywords))
            literals = [one.value for one in passed if isinstance(one, ast.Constant)]
            yield from ((node.lineno, str(name), "") for name in literals)


def _callee(call: ast.Call) -> str:
    function = call.func
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""
