"""Runs the command line: `python -m crier`."""

import signal
import sys

from crier.installed import explained
from crier.paths import LAMBDAS

sys.path.append(str(LAMBDAS))  # the rules of broadcasting, which the functions find there, too

if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    # while the rest is imported, nothing has been started that would have to be ended
    signal.signal(signal.SIGINT, signal.SIG_DFL)

with explained():
    from crier.cli import main

if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # now there is: a terminal's cursor

for stream in (sys.stdout, sys.stderr):
    stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]

with explained():
    main()
