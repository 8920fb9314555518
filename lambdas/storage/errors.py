"""The errors of storage.

StorageError
├── ReadError           rows could not be read
├── WriteError          a row could not be written
│   └── BusyError       not just now: DynamoDB throttled, was busy with the row, or gave no answer
└── ConflictError       a row has changed since it was read
"""


class StorageError(Exception):
    """DynamoDB or SQS did not do what was asked, after the retries of its client."""


class ReadError(StorageError):
    """Rows of a table could not be read."""


class WriteError(StorageError):
    """A row could not be written."""


class BusyError(WriteError):
    """A row could not be written just now: the same write may well succeed a little later."""


class ConflictError(StorageError):
    """A row has changed since it was read: what was made from it is not valid any more."""
