"""What is logged of an exception where its text could hold a token: its kind, and the place."""

from pathlib import Path
from traceback import walk_tb
from typing import Final

_OURS: Final = Path(__file__).parent
_MOST_KINDS: Final = 4


def failure_of(error: BaseException, *harmless: type[BaseException]) -> dict[str, str]:
    """Return the kinds of an error and of what has caused it, and the place in our code.

    The text of an error is a part of it only if the error is one of `harmless`.
    """
    kinds, cause = [type(error).__name__], error.__cause__
    while cause and len(kinds) < _MOST_KINDS:
        kinds.append(type(cause).__name__)
        cause = cause.__cause__
    told = {"error": " from ".join(kinds), "place": _place_of(error)}
    return told | ({"reason": str(error)} if isinstance(error, harmless) else {})


def _place_of(error: BaseException) -> str:
    """Return the innermost line of ours that the error has passed through."""
    lines = [(frame.f_code.co_filename, line) for frame, line in walk_tb(error.__traceback__)]
    ours = [(Path(name), line) for name, line in lines if Path(name).is_relative_to(_OURS)]
    if not ours:
        return "nowhere"
    path, line = ours[-1]
    return f"{path.relative_to(_OURS)}:{line}"
