"""The shared pace in virtual time: the functions' own pacing code, no sleep, no real clock.

To read it, begin with `scenario` (what is simulated, and the floor), then `simulation` (the agenda)
and `worker`, which posts against the `quota` of the AWS account and reserves posts in the budget's
`row`. `result`, `targets`, `table` and `plots` say what came of it; `verb` does it all. `herd` and
`cut` are other simulations: clients that all ask at once for what they missed, and clients that all
connect again at once, by each of the `backoffs`; `reconnects` runs and judges the latter.
"""
