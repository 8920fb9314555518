"""The one error of the command line, and the exit codes that are not errors.

An error is a message for the user: it says what was found, what was expected and what to do next.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

SOME_FAILED = 3
"""The exit code when some connections failed."""

NOT_SETTLED = 4
"""The exit code when a broadcast is not settled in time, or cannot be."""


class CrierError(Exception):
    """Something that the user can mend; the message says how."""


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn an error of AWS in the block into a CrierError that says `what` was not done."""
    try:
        yield
    except (ClientError, BotoCoreError) as error:
        raise CrierError(f"{what}: {error}") from error
