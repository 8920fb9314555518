"""The one error of the benchmarks: a message for the person that started them."""


class BenchError(Exception):
    """Says what was found, what was expected and what to do next."""
