"""The one error of the command line: a message for the person who typed the command.

And the exit codes of what is no error.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

SOME_FAILED = 3
"""The exit code when some connections failed."""

NOT_SETTLED = 4
"""The exit code when a broadcast is not settled in time, or cannot be."""


class CrierError(Exception):
    """Says what was found, what was expected and what to do next."""


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Say what was not done when AWS does not do it. Raises CrierError."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise CrierError(f"{what}: {error}") from error
