"""In place of an allowance, where no budget is shared."""

import math


class Unlimited:
    """Lets every post go that a worker's own pace admits, and asks for none."""

    is_alone = False
    """There is no budget that could be out of reach."""

    def take(self, wanted: int, *_: float, **__: float) -> int:
        """Return all of the wanted posts."""
        return wanted

    def give_back(self, posts: int, cost: float) -> None:
        """Forget posts that were taken and not posted: they are not counted."""

    def wait_seconds(self, *_: float, **__: float) -> float:
        """Return 0: no post waits for a grant."""
        return 0.0

    def ask_at(self, *_: float) -> float:
        """Return that nothing need be asked for, at any time."""
        return math.inf


UNLIMITED = Unlimited()
