"""Keeps what the functions print: the local AWS throws away the output of WebSocket routes.

When a test has named a startup file, this module calls its `start`: `LocalAws` says how.

Python imports a module of this name when it starts. The local run puts this folder on the path of
the local AWS, and its Lambda workers inherit the path. In any other process the module does
nothing.
"""

import importlib.util
import os
import sys
from pathlib import Path
from typing import TextIO


class _Tee:
    """Writes to a stream and to a file."""

    def __init__(self, stream: TextIO, path: Path) -> None:
        self._stream = stream
        self._file = path.open("a", buffering=1, encoding="utf-8")

    def write(self, text: str) -> int:
        self._file.write(text)
        return self._stream.write(text)

    def flush(self) -> None:
        self._file.flush()
        self._stream.flush()

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


_folder = os.environ.get("CRIER_LOCAL_LOGS")
_function = os.environ.get("AWS_LAMBDA_FUNCTION_NAME")
if _folder and _function:
    # The worker makes stdout the same as stderr before it imports a handler.
    sys.stderr = _Tee(sys.stderr, Path(_folder, f"{_function}.log"))

_startup = os.environ.get("CRIER_LOCAL_STARTUP")
if _startup and _function:
    _spec = importlib.util.spec_from_file_location("crier_startup", _startup)
    if _spec is None or _spec.loader is None:
        raise ImportError(f"CRIER_LOCAL_STARTUP is {_startup}, expected a Python file")
    _module = sys.modules["crier_startup"] = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(_module)
    _module.start(_function, Path(os.environ["CRIER_LOCAL_STARTUP_FOLDER"]))
