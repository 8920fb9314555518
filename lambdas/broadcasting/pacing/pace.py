"""The pace that an operator sets: a rate, and a burst."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """What may be posted: posts per second, and how many posts at once after an idle time."""

    posts_per_second: float
    burst: float

    def __post_init__(self) -> None:
        """Refuse a pace that never lets a post go. Raises ValueError."""
        if not self.posts_per_second > 0 or not self.burst >= 1:
            raise ValueError(f"{self} posts nothing, expected posts_per_second > 0, burst >= 1")
