"""What Hypothesis makes: backlogs, sums, and the ledger's rows."""

from hypothesis import strategies as st

from broadcasting.backlog import Backlog, ShardCursor
from broadcasting.connection import LATEST_MS, SHARDS, Connection
from broadcasting.connection_row import partition_of
from broadcasting.ledger_rows import (
    ChannelEntry,
    FailedRow,
    FrameRow,
    SliceRow,
    Summary,
)
from broadcasting.receipt import Receipt

TEXT = st.text(min_size=1)
NUMBERS = st.integers(0, LATEST_MS)
CONNECTIONS = st.builds(Connection, TEXT, NUMBERS, st.integers(0, 3))
CURSORS = st.builds(
    ShardCursor, st.integers(0, SHARDS - 1).map(partition_of) | TEXT, st.none() | TEXT
)
BACKLOGS = st.builds(
    Backlog,
    st.lists(CURSORS, max_size=SHARDS, unique_by=lambda cursor: cursor.partition).map(tuple),
    st.lists(CONNECTIONS, max_size=5).map(tuple),
)
COUNTS = st.builds(Receipt, *[NUMBERS] * 7)
SUMMARIES = st.builds(Summary, TEXT, TEXT, TEXT, *[NUMBERS] * 3, COUNTS, *[NUMBERS] * 4, st.text())
SLICES = st.builds(
    SliceRow,
    TEXT,
    TEXT,
    BACKLOGS,
    COUNTS,
    st.text(),
    NUMBERS,
    st.lists(TEXT, max_size=3).map(tuple),
    *[NUMBERS] * 2,
    st.booleans(),
    *[NUMBERS] * 5,
    st.text(),
)
ENTRIES = st.builds(ChannelEntry, TEXT, NUMBERS, TEXT, NUMBERS, NUMBERS)
IDS = st.lists(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1), max_size=3)
FRAME_ROWS = st.builds(
    FrameRow, TEXT, NUMBERS, st.text(), NUMBERS, TEXT, NUMBERS, NUMBERS, *[IDS.map(tuple)] * 2
)
FAILED_ROWS = st.builds(
    FailedRow,
    TEXT,
    TEXT,
    NUMBERS,
    st.lists(st.tuples(TEXT, st.text()), max_size=3).map(tuple),
    NUMBERS,
)
