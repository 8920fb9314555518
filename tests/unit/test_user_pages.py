"""What the pages for users say of the code is true."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

from broadcasting.audience import MOST_IDS
from broadcasting.checks import MOST_USER
from broadcasting.frame import MAX_FRAME_BYTES, encode_frame
from broadcasting.ledger import MAX_HOPS
from broadcasting.message import parse_broadcast
from broadcasting.nesting import MOST_LEVELS
from broadcasting.outcome import Verdict, verdict_of
from broadcasting.retry import MAX_ROUNDS, Backoff
from crier.commands.message_source import MOST_BYTES
from delivery.judge import MAX_REPEATS, REPEATS_AT_ONCE
from stacks.parts.queue_with_dead_letters import MAX_RECEIVES
from stacks.settings import DeploySettings

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
MESSAGES = (DOCS / "user" / "messages.md").read_text()
PRODUCERS = (DOCS / "user" / "producers.md").read_text()
COMMAND_LINE = (DOCS / "operator" / "command-line.md").read_text()
DEPLOY = (DOCS / "operator" / "deploy.md").read_text()
GLOSSARY = (DOCS / "contributor" / "glossary.md").read_text()


@pytest.mark.parametrize(
    ("words", "page"),
    [
        (f"nested at most {MOST_LEVELS} levels deep", MESSAGES),
        (f"of at most {MOST_BYTES // 1024**2} MiB", COMMAND_LINE),
        (f"at most {MAX_FRAME_BYTES // 1024} KiB of UTF-8", MESSAGES),
        (f"after {MAX_RECEIVES} receives", MESSAGES),
        (f"list of 1-{MOST_IDS:,} connection ids", MESSAGES),
        (f"list of up to {MOST_IDS:,} connection ids", MESSAGES),
        (f"string of 1-{MOST_USER} printable characters", MESSAGES),
        (f"more than `replayFrames` ({DeploySettings().replay_frames})", MESSAGES),
        (f"taken up {MAX_HOPS:,} times in a row", MESSAGES),
        (f"| `outageSeconds` | {DeploySettings().outage_seconds:,} |", DEPLOY),
        (f"| a connection, in one invocation | {Backoff().tries} |", GLOSSARY),
        (
            f"| a post | {REPEATS_AT_ONCE} at once; where the server says so, {MAX_REPEATS},",
            GLOSSARY,
        ),
        (f"| a connection, in all its invocations | {MAX_ROUNDS} |", GLOSSARY),
        (f"| a slice | {MAX_HOPS:,} |", GLOSSARY),
    ],
)
def test_limit_is_that_of_the_code(words: str, page: str) -> None:
    """Sizes, depth, receives, the four counters, and how long an outage is waited for."""
    assert words in page


def _json_lines(section: str) -> list[str]:
    """Return the lines of JSON in a section of the page of messages."""
    text = MESSAGES.split(f"## {section}\n")[1].split("\n## ")[0]
    return "\n".join(re.findall(r"```json\n(.*?)\n```", text, re.DOTALL)).splitlines()


def test_messages_and_frames_of_the_page_are_those_of_the_code() -> None:
    """Each message is one that is accepted, and becomes the frame that is shown, in this order."""
    frames = []
    numbers: Counter[str] = Counter()
    for number, body in enumerate(_json_lines("Whom it is for"), start=1):
        broadcast = parse_broadcast(body, f"b{number}")
        stream = broadcast.audience.stream
        numbers[stream] += 1
        frames.append(encode_frame(broadcast, 1_767_225_600_000, numbers[stream]))

    assert len(frames) == 5
    assert _json_lines("What a client receives") == frames


_WORDS = {
    Verdict.DELIVERED: "delivered",
    Verdict.GONE: "gone",
    Verdict.THROTTLED: "tried again",
    Verdict.LOST: "tried again",
    Verdict.FORBIDDEN: "tried again",
    Verdict.REFUSED: "failed",
}


@pytest.mark.parametrize("status", [200, 400, 403, 408, 410, 413, 429, 500, 503])
def test_messages_have_the_outcome_of_each_status(status: int) -> None:
    """The table of outcomes says what the code makes of an answer of `@connections`."""
    section = MESSAGES.split("## Outcomes\n")[1]
    table = section[section.index("\n|") + 1 :].split("\n\n")[0]
    rows = [[cell.strip() for cell in row.split("|")[1:3]] for row in table.splitlines()[2:]]

    named = "5xx" if status >= 500 else str(status)
    (outcome,) = (outcome for answer, outcome in rows if named in answer)

    assert outcome.startswith(_WORDS[verdict_of(status, young=False)])


def test_documents_state_the_reasons_for_envelopes() -> None:
    """What an operator reads in a dead letter is in the table of cures, by its beginning."""
    source = (ROOT / "lambdas" / "broadcasting" / "envelopes.py").read_text()
    reasons = re.findall(r'RejectedError\(\s*"(an? [\w ]+)', source)

    missing = [reason for reason in reasons if f"| `{reason.strip()}" not in PRODUCERS]

    assert len(reasons) == 4
    assert missing == []


def test_producers_are_a_line_of_the_context() -> None:
    """What is to be written into cdk.json makes a file that is read, and right settings."""
    (line,) = re.findall(r"```json\n(.*)\n```", PRODUCERS)
    context = json.loads(f'{{"context": {{\n{line}\n"stage": "dev"}}}}')["context"]

    settings = DeploySettings.from_context(context)

    assert len(settings.producers) == 2
