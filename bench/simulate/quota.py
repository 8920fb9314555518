"""The quota of an AWS account in virtual time: a token bucket that other tenants use too."""

from collections import Counter

from bench.simulate.scenario import BUCKET_SECONDS, OTHERS_SHARE

BIN_SECONDS = 0.1


class Quota:
    """Takes posts, and counts by tenths of a second which got through and which were throttled."""

    def __init__(self, posts_per_second: float) -> None:
        self.taken = 0
        self.throttled = 0
        self.taken_by_bin: Counter[int] = Counter()
        self.throttled_by_bin: Counter[int] = Counter()
        self._posts_per_second = posts_per_second
        self._rate = posts_per_second
        self._tokens = self._bucket = BUCKET_SECONDS * posts_per_second
        self._filled_at = 0.0

    def let_others_in(self, now: float) -> None:
        """Have the other tenants use their part from now on: what they leave is the rate."""
        self._fill(now)
        self._rate = (1 - OTHERS_SHARE) * self._posts_per_second

    def take(self, posts: int, now: float) -> int:
        """Return how many of the posts get through."""
        self._fill(now)
        taken = min(posts, int(self._tokens))
        self._tokens -= taken
        self.taken += taken
        self.throttled += posts - taken
        place = int(now / BIN_SECONDS)
        self.taken_by_bin[place] += taken
        if posts > taken:
            self.throttled_by_bin[place] += posts - taken
        return taken

    def _fill(self, now: float) -> None:
        self._tokens = min(self._bucket, self._tokens + (now - self._filled_at) * self._rate)
        self._filled_at = now
