"""How the functions log: one JSON line for each thing that happened."""

import logging

from aws_lambda_powertools import Logger

logger = Logger(utc=True)
"""Context goes into each call, never into `append_keys`, which all threads share.

The service name is POWERTOOLS_SERVICE_NAME and the level POWERTOOLS_LOG_LEVEL, set by the stack.
"""

_receipts = logging.getLogger(f"{logger.name}.receipts")
_receipts.setLevel(logging.INFO)
"""A child of the logger, so that its lines take the same way, but not the same level. Powertools'
own child loggers take their level from Lambda's AWS_LAMBDA_LOG_LEVEL, where that is set."""


def log_receipt(message: str, **facts: object) -> None:
    """Log what became of a broadcast, whatever the level of the other lines is."""
    _receipts.info(message, extra=facts, stacklevel=2)
