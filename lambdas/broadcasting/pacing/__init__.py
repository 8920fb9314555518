"""How fast to post: within the pace of one worker, and within the budget that all workers share.

To read it, begin with `pace` (what the operator sets), then `budget`, the port through which a
worker reserves posts ahead of need. `reservation` has the arithmetic of it: one number in one row.
`held_grant` is one answer of the budget, `grants` are those that a worker holds, `head_start` is
what a small broadcast may post before any, and `local_share` what goes while the budget cannot be
reached; `allowance` puts these together. `pacer` admits posts, and slows down on 429;
`unlimited` stands in place of an allowance where a worker has the pace to itself.

Nothing here reads a clock, starts a thread or does I/O: `delivery.shared_pacer` is the shell.
"""
