"""The pace that an operator sets."""

import pytest

from broadcasting.pacing.pace import Pace


@pytest.mark.parametrize(
    ("posts_per_second", "burst"),
    [(0.0, 1.0), (-1.0, 1.0), (1.0, 0.9), (float("nan"), 1.0), (1.0, float("nan"))],
)
def test_pace_refuses_what_never_lets_a_post_go(posts_per_second: float, burst: float) -> None:
    """It refuses no rate, and a bucket that never holds a whole post."""
    with pytest.raises(ValueError, match="posts nothing, expected posts_per_second > 0"):
        Pace(posts_per_second, burst)
