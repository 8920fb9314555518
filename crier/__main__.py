"""Runs the command line of the checkout that Python stands in: `python -m crier`."""

from crier.entry import run

run()
