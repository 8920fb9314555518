"""The one error of the command line: a message for the person who typed the command."""


class CrierError(Exception):
    """Says what was found, what was expected and what to do next."""
