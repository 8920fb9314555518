"""Keeps what the functions print, as the local AWS throws away the output of WebSocket routes.

Where a test or the soak asks for faults, it puts them on the wire of the broadcast function.

Python imports a module of this name at start. The local run puts this folder on the path of
the local AWS, whose Lambda workers inherit it; in any other process this does nothing.
"""

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

_faults = os.environ.get("CRIER_LOCAL_FAULTS")
if _faults and _function and "Broadcast" in _function:
    import wire_faults  # type: ignore[import-not-found] # on the worker's path, beside this

    wire_faults.install(Path(_faults))
    Path(_faults).with_name(f"worker-{os.getpid()}").touch()
