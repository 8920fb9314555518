"""Makes a slice of stragglers: connections that were tried in vain, in a round that has ended."""

from broadcasting.backlog import Backlog
from broadcasting.trouble import Trouble, outage_delay_seconds
from slices.bookkeeping import Bookkeeper
from slices.progress import SliceProgress
from slices.rounds import Round


def give_stragglers_away(
    books: Bookkeeper, progress: SliceProgress, of_round: Round, trouble: Trouble | None
) -> None:
    """Have the stragglers taken up later as a slice of their own, while the others go on.

    `trouble` is why their round counted for none of them, if it did not.
    """
    stragglers = Backlog(connections=tuple(progress.stragglers))
    if stragglers.is_empty:
        return
    outage = of_round.outage_after(trouble)
    seconds = (
        outage_delay_seconds(outage.rounds) if trouble else of_round.long_delay_seconds(stragglers)
    )
    books.give_away(stragglers, outage=outage, delay_seconds=seconds)
