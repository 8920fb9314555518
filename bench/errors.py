"""The one error of the benchmark: a message for the person who started it."""


class BenchError(Exception):
    """Says what was found, what was expected and what to do next."""
