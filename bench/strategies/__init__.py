"""The ways of posting that are compared: each is a program of its own.

To read it, begin with `registry` (how each is started, and what it needs), then `boto3_sequential`,
the shortest one. All take a job as their only argument and print a measurement: see
`bench.compare`. The strategies for Node are in `bench/peers`.
"""
