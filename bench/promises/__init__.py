"""What faults cost, held against the promises: `python -m bench promises`.

Sums come from the testbed that the fault tests use: the function's real code and real clients on
the local AWS, with faults at the wire and in virtual time. Times are wall times on loopback, with
the stand-in for `@connections` in a process of its own.

To read it, begin with `verb` (the list of measurements) and `laboratory` (where they are made);
then each measurement by itself: `ledger_writes`, `times`, `outages`, `refusals`, `write_units`,
`models`. `repeats` and `unit_meter` are what two of them measure with.
"""
