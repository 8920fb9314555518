"""What DynamoDB means when it refuses a request: changed meanwhile, not just now, or never."""

from typing import Any

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,  # noqa: A004 - botocore's, whose name it is
    HTTPClientError,
    IncompleteReadError,
)

from storage.errors import BusyError, ConflictError, ReadError, StorageError, WriteError

_CANCELED = "TransactionCanceledException"
_CONDITION_FAILED = ("ConditionalCheckFailed", "ConditionalCheckFailedException")
_BUSY = (
    _CANCELED,
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
    "TransactionConflictException",
    "TransactionInProgressException",
)
_HOPELESS = ("ItemCollectionSizeLimitExceeded", "ValidationError")
"""Reasons of a canceled transaction that the next one would meet as well.

https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html
"""
_NO_ANSWER = (ConnectionError, HTTPClientError, IncompleteReadError)


def refusal_of(names: str, error: ClientError | BotoCoreError) -> StorageError:
    """Return what a write of the named rows has come to; its message says what DynamoDB said."""
    codes = _codes(error)
    if any(code in _CONDITION_FAILED for code in codes):
        return ConflictError(f"{names} changed meanwhile: {error}")
    kind = BusyError if is_busy(error) else WriteError
    return kind(f"{names} not written: {error}{_reasons(codes)}")


def unread(what: str, error: ClientError | BotoCoreError) -> StorageError:
    """Return what a read has come to: a client that waits asks again while the table is busy."""
    kind = BusyError if is_busy(error) else ReadError
    return kind(f"{what} not read: {error}")


def is_busy(error: ClientError | BotoCoreError) -> bool:
    """Tell whether the same request may well succeed a little later."""
    if not isinstance(error, ClientError):
        return isinstance(error, _NO_ANSWER)
    codes = _codes(error)
    if any(code in _HOPELESS for code in codes):
        return False
    return codes[0] in _BUSY or _status(error) >= 500  # noqa: PLR2004 - HTTP's server errors


def _codes(error: ClientError | BotoCoreError) -> tuple[str, ...]:
    """Return the code of an answer, and those of the reasons why a transaction was canceled."""
    if not isinstance(error, ClientError):
        return ()
    response: Any = error.response
    reasons = response.get("CancellationReasons") or ()
    codes = (one.get("Code") or "None" for one in reasons)
    return (response["Error"]["Code"], *(code for code in codes if code != "None"))


def _status(error: ClientError) -> int:
    return error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)


def _reasons(codes: tuple[str, ...]) -> str:
    """Return the reasons of a canceled transaction, each once: its message may leave them out."""
    return f" ({', '.join(dict.fromkeys(codes[1:]))})" if codes[1:] else ""
