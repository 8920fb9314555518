"""What a broadcast is and how it is accounted: pure values and rules.

Standard library only; no clock, no I/O, no threads. Time and randomness are passed in.
"""
