"""The functions in this process: their real code and real clients, on the local AWS, with faults.

To read it, begin with `app` (tables, queues, and what a test does with them), then `environments`
(each has modules, clients and a clock of its own) and `event_source` (what stands between SQS and
the function). `context` and `clocks` are what a function is told of time, `proxy`, `names` and
`hostile` what its connections suffer; `observed` and `ledger_rows` show what it did.
"""
