"""The budget's row in virtual time: one number, and writes that are conditional on it."""

from broadcasting.pacing.reservation import TatUpdate


class Row:
    """Holds the number, and counts the requests."""

    def __init__(self) -> None:
        self.tat_ms: float | None = None
        self.requests = 0
        self.refused = 0

    def change(self, write: TatUpdate) -> bool:
        """Write, if the condition holds."""
        self.requests += 1
        changed = write.changed(self.tat_ms)
        if changed is None:
            self.refused += 1
            return False
        self.tat_ms = changed
        return True
