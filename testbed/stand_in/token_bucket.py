"""The account's quota: a token bucket that starts full."""


class TokenBucket:
    """Admits `posts_per_second` on average, and `burst` at once. Times are in seconds."""

    def __init__(self, posts_per_second: float, burst: float, now: float) -> None:
        self._posts_per_second = posts_per_second
        self._burst = burst
        self._tokens = burst
        self._filled_at = now

    def take(self, now: float) -> bool:
        """Take one token, if there is one."""
        gained = (now - self._filled_at) * self._posts_per_second
        self._tokens = min(self._burst, self._tokens + gained)
        self._filled_at = now
        if self._tokens < 1.0:
            return False
        self._tokens -= 1.0
        return True
