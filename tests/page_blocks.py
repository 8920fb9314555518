"""The commands of a page of the documents: its fenced blocks, and what it says of them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(
    r"(?:^<!-- only on AWS:(?P<reason>[^\n]*?)-->\n)?"
    r"^```bash\n(?P<code>.*?)^```\n"
    r"(?:\n```text\n(?P<expected>.*?)^```\n)?",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True, slots=True)
class Block:
    """A block of commands: the heading it stands under, its line, what is expected of it.

    `reason` says why only AWS can run it, None when the local AWS can, too. `expected` is what the
    page shows as the output, empty when it shows none; `…` in it stands for anything.
    """

    heading: str
    line: int
    code: str
    reason: str | None
    expected: str

    def missing(self, output: str) -> list[str]:
        """Return the expected lines that do not come in the output in this order."""
        lines, missing = [_plain(line) for line in output.splitlines()], []
        for pattern in (_pattern(line) for line in self.expected.splitlines()):
            places = [place for place, line in enumerate(lines) if pattern.fullmatch(line)]
            if places:
                lines = lines[places[0] + 1 :]
            else:
                missing.append(pattern.pattern)
        return missing


def blocks_of(page: Path) -> list[Block]:
    """Return the blocks of a page, in its order."""
    return list(_blocks(page.read_text()))


def aws_calls(text: str) -> list[list[str]]:
    """Return the calls of the AWS CLI in a text: service, operation, then the options.

    After `wait` comes what is waited for.
    """
    joined = re.sub(r"\\\n\s*", " ", text)
    calls = re.finditer(r"(?<![\w.-])aws ([a-z0-9-]+ (?:wait )?[a-z-]+)(?=[^\w-])", joined)
    return [[*call[1].split(), *_options(joined[call.end() :].split("\n")[0])] for call in calls]


def _blocks(text: str) -> Iterator[Block]:
    for found in _FENCE.finditer(text):
        before = text[: found.start("code")]
        headings = re.findall(r"^## (.*)$", before, re.MULTILINE)
        reason = found["reason"]
        yield Block(
            headings[-1] if headings else "",
            before.count("\n") + 1,
            found["code"],
            None if reason is None else reason.strip(),
            found["expected"] or "",
        )


def _options(rest: str) -> list[str]:
    """Return the options of a call itself: neither a pipe's nor those of a call inside it."""
    outside = re.sub(r"\$\(\(.*?\)\)|\$\([^)]*\)", "", rest)
    unquoted = re.sub(r"'[^']*'|\"[^\"]*\"", "", outside)
    return re.findall(r"(?<= )--[a-z0-9-]+", re.split(r"[|&;)`]", unquoted)[0])


def _plain(line: str) -> str:
    """Return a line with single spaces: columns are as wide as their contents."""
    return " ".join(line.split())


def _pattern(line: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in _plain(line).split("…")))
