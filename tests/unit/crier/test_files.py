"""Finding out whether a file can be written."""

from pathlib import Path

import pytest

from crier.errors import CrierError
from crier.files import make_place_for


def test_place_is_made_and_left_empty(tmp_path: Path) -> None:
    """The folder is there afterwards, and nothing in it."""
    path = tmp_path / "new" / "folder" / "demo.json"

    make_place_for(path)

    assert list(path.parent.iterdir()) == []


def test_place_is_refused_when_it_cannot_be_made(tmp_path: Path) -> None:
    """The error names the file, and says why and what to do."""
    (tmp_path / "taken").write_text("a file")
    path = tmp_path / "taken" / "demo.json"

    with pytest.raises(CrierError) as caught:
        make_place_for(path)

    assert str(caught.value).startswith(
        f"{path} cannot be written (File exists): name a file in a folder"
    )
