"""A small layer in place of the one for tokens, whose wheels would be fetched."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stacks.parts import jwt_layer


@contextmanager
def small_layer(folder: Path) -> Iterator[None]:
    """Let the layer be one module in a folder, until this is over."""
    (folder / "python").mkdir(exist_ok=True)
    (folder / "python" / "jwt.py").touch()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jwt_layer, "stage", lambda *_, **__: folder)
        yield
