"""What the ledger's writes cost: the frame is paid for once."""

from testbed.model.ledger_scenes import as_before, requests_of_a_split_broadcast
from testbed.units import write_units


def test_split_broadcast_costs_a_fifth_of_what_it_did_when_its_frame_is_large() -> None:
    """Counted by the rule of `bench scale`: the frame was written 18 times, now it is once."""
    requests = requests_of_a_split_broadcast()

    now = sum(write_units(*one) for one in requests)
    before = sum(write_units(*as_before(one)) for one in requests)

    assert (now, before) == (324, 3_722)
    assert now <= before / 5
