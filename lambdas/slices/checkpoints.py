"""When the account of a slice is written down while its connections are posted to."""

import math

from slices.progress import SliceProgress
from storage.audience_pages import PAGE_ROWS

CHECKPOINT_CONNECTIONS = PAGE_ROWS
"""When this many connections have ended the account is written down: this many are posted to
again after a crash."""

CHECKPOINT_SECONDS = 0.75
"""After this time the account is written down: soon enough to be done before posting pauses."""

UNSAVED_SECONDS = 1.0
"""Posting goes on for this long while the account of what has ended cannot be written down: that
much is repeated after a crash."""


class CheckpointTimer:
    """Watches how much has ended that is not written down. Times are monotonic seconds."""

    def __init__(self, progress: SliceProgress) -> None:
        self._progress = progress
        self._unsaved_since: float | None = None

    def look(self, now: float) -> float:
        """Return when posting is to pause, before more has ended than a crash may repeat."""
        if not self._progress.unsaved:
            self._unsaved_since = None
            return math.inf
        if self._unsaved_since is None:
            self._unsaved_since = now
        return self._unsaved_since + UNSAVED_SECONDS

    def is_due(self, now: float) -> bool:
        """Tell whether a crash would repeat too much, or more have failed than are written at once.

        Within the first pages and the first second the account is not written down, so that a
        small broadcast is cheap.
        """
        since, progress = self._unsaved_since, self._progress
        if since is not None and now - since >= CHECKPOINT_SECONDS:
            return True
        if progress.unsaved < CHECKPOINT_CONNECTIONS:
            return False
        return progress.is_beyond_first_pages or len(progress.failed) >= CHECKPOINT_CONNECTIONS
