"""The soak: clients come and go, broadcasts to every audience, faults on; promises are checked.

To read it, begin with `soak` (what happens), then `session` and `sent` (what is noted down);
`live`, `answers`, `following` and `sums` hold the promises against that, and `rows_left` the tables
against what may stay. `client` and `line` are the clients, `faults` what the functions suffer.
"""
