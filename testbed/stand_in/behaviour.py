"""How the stand-in behaves: one value that travels as JSON.

`Behaviour.from_json` and `Behaviour.to_json` are each other's inverse.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from hashlib import blake2b
from math import isfinite
from typing import Any, Self

_SHARES = (
    *("gone_share", "full_buffer_share", "forbidden_share"),
    *("server_error_share", "reset_share"),
)
_COUNTS = ("seed", "close_after_answers", "quota_posts_per_second", "quota_burst")


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """The stand-in's options. Shares are from 0 to 1, counts whole; 0 switches off."""

    latency_median_seconds: float = 0.02
    latency_sigma: float = 0.25
    """Of the log-normal distribution of latencies: 0 makes them all the same."""
    seed: int = 1
    gone_share: float = 0.0
    """Share of the connections that are gone: always 410."""
    full_buffer_share: float = 0.0
    """Share of the connections whose buffer is full: always 429."""
    forbidden_share: float = 0.0
    """Share of the connections that are refused: always 403, whatever else they are."""
    server_error_share: float = 0.0
    """Share of the posts answered 500 or 503."""
    reset_share: float = 0.0
    """Share of the posts reset before any answer, their message not delivered."""
    close_after_answers: int = 0
    """After this many answers an HTTP connection closes, unannounced; 0 for never."""
    quota_posts_per_second: int = 0
    quota_burst: int = 0
    """The account's token bucket: 429 when it is empty."""
    verify_signatures: bool = False
    access_key: str = ""
    secret_key: str = ""
    session_token: str = ""
    region: str = "eu-central-1"

    def __post_init__(self) -> None:
        self._check_types()
        for name in _SHARES:
            self._expect(0 <= getattr(self, name) <= 1, name, "a share from 0 to 1")
        for name in ("latency_median_seconds", "latency_sigma", *_COUNTS):
            value = getattr(self, name)
            self._expect(value >= 0 and isfinite(value), name, "0 or more")
        for first, second in (("gone", "full_buffer"), ("server_error", "reset")):
            total = getattr(self, f"{first}_share") + getattr(self, f"{second}_share")
            self._expect(total <= 1, f"{first}_share", f"at most 1 with {second}_share")
        has_quota = self.quota_posts_per_second > 0
        self._expect(
            has_quota == (self.quota_burst > 0), "quota_burst", "both of the quota or none"
        )
        has_keys = bool(self.access_key and self.secret_key and self.region)
        self._expect(has_keys or not self.verify_signatures, "verify_signatures", "keys, region")

    def is_gone(self, connection_id: str) -> bool:
        """Whether posts to this connection are answered 410."""
        return self._place(connection_id) < self.gone_share

    def is_full(self, connection_id: str) -> bool:
        """Whether this connection's buffer is full for ever: a gone one's is not."""
        place = self._place(connection_id) - self.gone_share
        return 0 <= place < self.full_buffer_share

    def is_forbidden(self, connection_id: str) -> bool:
        """Whether posts to this connection are answered 403."""
        return self._place(connection_id) >= 1 - self.forbidden_share

    def to_json(self) -> str:
        """Return one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return what a JSON object says; raises ValueError for anything else."""
        facts = json.loads(text)
        if not isinstance(facts, dict):
            raise ValueError(f"found {text[:80]}; expected a JSON object")  # noqa: TRY004 - see above
        return cls.from_facts(facts)

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> Self:
        """Return what `dataclasses.asdict` was told; raises ValueError for anything else."""
        known = {one.name for one in fields(cls)}
        if unknown := sorted(facts.keys() - known):
            raise ValueError(f"unknown option {unknown[0]}; expected some of {sorted(known)}")
        return cls(**facts)

    def _place(self, connection_id: str) -> float:
        """Return where a connection stands, from 0 to 1: evenly spread and always the same."""
        digest = blake2b(f"{self.seed}:{connection_id}".encode(), digest_size=7).digest()
        return int.from_bytes(digest) / 2**56

    def _check_types(self) -> None:
        for one in fields(self):
            value = getattr(self, one.name)
            right = type(value) is one.type or (one.type is float and type(value) is int)
            self._expect(right, one.name, f"of type {one.type.__name__}")  # type: ignore[union-attr]

    def _expect(self, is_right: bool, name: str, expected: str) -> None:  # noqa: FBT001 - private
        if not is_right:
            shown = "hidden" if name == "secret_key" else repr(getattr(self, name))
            raise ValueError(f"{name} is {shown}; expected {expected}")
