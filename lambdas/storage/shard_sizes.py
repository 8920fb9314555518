"""Guesses how much is still unread: a stable hash makes shards of about the same size."""


class ShardSizes:
    """Learns from the shards that were read to their end. Any thread may ask."""

    def __init__(self) -> None:
        self._shards_ended = 0
        self._rows_of_ended = 0
        self._rows_of_begun = 0
        self._begun: dict[str, int] = {}
        """How many rows of each shard have been read, if it has not ended."""

    def note(self, shard: str, rows: int, *, is_end: bool) -> None:
        """Take note of a page."""
        before = self._begun.pop(shard, 0)
        if is_end:
            self._shards_ended += 1
            self._rows_of_ended += before + rows
            self._rows_of_begun -= before
        else:
            self._begun[shard] = before + rows
            self._rows_of_begun += rows

    def unread(self, shards: int) -> int:
        """Return about how many rows a number of shards, begun ones included, still have.

        It is 0 until the first shard has ended.
        """
        if not self._shards_ended:
            return 0
        usual = self._rows_of_ended / self._shards_ended
        return max(0, int(usual * shards - self._rows_of_begun))
