"""Runs the command line: `python -m crier`."""

import sys

from crier.project import LAMBDAS

sys.path.append(str(LAMBDAS))  # the rules of broadcasting, which the functions find there, too

from crier.cli import main

main()
