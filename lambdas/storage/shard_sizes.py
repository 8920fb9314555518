"""Guesses how much is still unread: a stable hash makes shards of about the same size."""


class ShardSizes:
    """Learns from the shards that were read to their end. Any thread may ask.

    `expected` is how many rows there are at most in the only shard, if that is known.
    """

    def __init__(self, *, expected: int = 0) -> None:
        self._expected = expected
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

    def forget(self, shard: str) -> None:
        """Count a shard no more that has not ended."""
        self._rows_of_begun -= self._begun.pop(shard)

    def unread(self, shards: int) -> int:
        """Return about how many rows a number of shards, begun ones included, still have.

        Until the first shard has ended it is what was expected.
        """
        if not self._shards_ended:
            return max(0, self._expected - self._rows_of_begun)
        usual = self._rows_of_ended / self._shards_ended
        return max(0, int(usual * shards - self._rows_of_begun))
