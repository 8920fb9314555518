"""The budget of all workers, as a port."""

from broadcasting.pacing.budget import small_posts
from broadcasting.pacing.pace import Pace


def test_small_broadcast_is_a_part_of_a_small_burst() -> None:
    """The limit is 400 posts, and never most of the bucket."""
    limits = [small_posts(Pace(8_000.0, 4_000.0)), small_posts(Pace(100.0, 50.0))]

    assert limits == [400.0, 20.0]
