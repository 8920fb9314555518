"""The code that a page of the documents shows, run as it stands there."""

import re
from pathlib import Path
from typing import Any


def code_of(page: Path, language: str, name: str) -> str:
    """Return the page's one block of code in which a function of that name is defined."""
    fence = rf"^( *)```{language}\n(.*?)^ *```$"
    blocks = re.findall(fence, page.read_text(), re.MULTILINE | re.DOTALL)
    (found,) = (
        re.sub(rf"^{indent}", "", code, flags=re.MULTILINE)
        for indent, code in blocks
        if re.search(rf"\b(?:def|function) {name}\(", code)
    )
    return found


def defined_in(page: Path, name: str) -> Any:
    """Run the page's Python in which a function is defined, and return the function."""
    names: dict[str, Any] = {}
    exec(code_of(page, "python", name), names)  # noqa: S102 - our own page
    return names[name]
