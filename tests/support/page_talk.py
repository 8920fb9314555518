"""What a page shows of a client's talk: who sends what, in the order of the page."""

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

CONNECT, CLOSE, ASK, HEAR, SEND = "●✕→←⇒"
_OURS = re.compile(
    rf"```text\n(?=[{CONNECT}{CLOSE}{ASK}{HEAR}{SEND}])(.*?)^```$", re.DOTALL | re.MULTILINE
)
_PLACES = {"connectionId", "epoch", "renewInMs", "sentAt"}
"""The keys whose values are not those of the page."""


class Line(NamedTuple):
    """One line of the talk: its sign, and the JSON, None for a connect and a close."""

    sign: str
    value: Any


def talk_of(page: Path) -> list[Line]:
    """Return the lines of all blocks of a page."""
    text = "".join(_OURS.findall(page.read_text()))
    signs = f"{CONNECT}{CLOSE}{ASK}{HEAR}{SEND}"
    found = re.findall(rf"^([{signs}])(.*(?:\n(?![{signs}]).*)*)", text, re.MULTILINE)
    return [Line(sign, json.loads(said) if said.strip() else None) for sign, said in found]


class Names:
    """What values of the page are really, by the first time that they came."""

    def __init__(self) -> None:
        self.real: dict[str, str] = {}

    def put_in(self, value: Any) -> Any:
        """Return what the page has with the values that are real."""
        text = json.dumps(value, ensure_ascii=False)
        for shown, real in self.real.items():
            text = text.replace(json.dumps(shown), json.dumps(real))
        return json.loads(text)

    def learn(self, shown: Any, real: Any) -> None:
        """Take what is new of an answer."""
        if isinstance(shown, dict) and isinstance(real, dict):
            for key, value in shown.items():
                if key in _PLACES and isinstance(value, str):
                    self.real.setdefault(value, str(real.get(key)))
                self.learn(value, real.get(key))
        if isinstance(shown, list) and isinstance(real, list):
            for one, other in zip(shown, real, strict=False):
                self.learn(one, other)


def without_times(value: Any) -> Any:
    """Return an answer with 0 for each time in it."""
    if isinstance(value, dict):
        return {
            key: 0 if key in ("renewInMs", "sentAt") else without_times(one)
            for key, one in value.items()
        }
    return [without_times(one) for one in value] if isinstance(value, list) else value
