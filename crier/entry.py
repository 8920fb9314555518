"""Starts the command line: the program `crier`, and `python -m crier`."""

import signal
import sys

from crier.installed import explained


def run() -> None:
    """Import the commands and run the one that was typed.

    During the import Ctrl-C ends the process at once: nothing has been started yet. After it Ctrl-C
    raises KeyboardInterrupt again, because a command may have something to end, or hide the cursor.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    with explained():
        from crier.cli import main  # noqa: PLC0415 - `explained` first, for an old Python
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # as after a shell's `>&-`
            stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    with explained():
        main()
