"""Runs the command line: `python -m crier`."""

from crier.cli import main

main()
