"""Models of DynamoDB and of time, for tests and for simulated measurements.

To read it, begin with `fakes` (the clients and the clock, faults included), then `ledger_dynamo` (a
DynamoDB that knows the ledger's requests); `contention` puts it into virtual time, where many
workers use it at once, and `ledger_scenes` has broadcasts that they deliver.
"""
