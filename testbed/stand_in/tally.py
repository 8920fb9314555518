"""The counts as they grow: written by the serving thread only, read by any."""

import time
from collections import Counter, defaultdict

from testbed.stand_in.report import Report


class Tally:
    """One run's counts."""

    def __init__(self, cpu_seconds: float) -> None:
        self.posts = 0
        self.malformed = 0
        self.unsigned = 0
        self.http_connections_opened = 0
        self.handshakes = 0
        self.cpu_seconds = cpu_seconds
        self.posts_over_http2 = 0
        self.connections_by_protocol: Counter[str] = Counter()
        self.most_streams = 0
        self.answers: defaultdict[int, int] = defaultdict(int)
        self.attempts: dict[str, int] = {}
        self.received: dict[str, int] = {}
        self._cpu_began = cpu_seconds
        self._wall_began = time.monotonic()

    def report(self) -> Report:
        """Return the counts as they are now."""
        received = self.received.copy()
        delivered = sum(received.values())
        return Report(
            posts=self.posts,
            answers=dict(self.answers.copy()),
            delivered=delivered,
            duplicates=delivered - len(received),
            connections_reached=len(received),
            malformed=self.malformed,
            unsigned=self.unsigned,
            http_connections_opened=self.http_connections_opened,
            handshakes=self.handshakes,
            posts_by_protocol=self._posts_by_protocol(),
            connections_by_protocol=dict(self.connections_by_protocol.copy()),
            most_streams=self.most_streams,
            cpu_seconds=self.cpu_seconds - self._cpu_began,
            wall_seconds=time.monotonic() - self._wall_began,
            received=received,
        )

    def _posts_by_protocol(self) -> dict[str, int]:
        over_http2 = self.posts_over_http2
        both = {"h2": over_http2, "http/1.1": self.posts - over_http2}
        return {protocol: posts for protocol, posts in both.items() if posts}
