"""The targets of the promises, measured and judged: `python -m bench.promises`.

Receipt come from the testbed of `tests/faults`: the function's real code and real clients on the
local AWS, with faults at the wire and in virtual time. Times are wall times on loopback, with the
stand-in for `@connections` in a process of its own.
"""
