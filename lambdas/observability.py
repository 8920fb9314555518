"""How the functions log: one JSON line for each thing that happened."""

from aws_lambda_powertools import Logger

logger = Logger(utc=True)
"""Context goes into each call, never into `append_keys`, which all threads share.

The service name is POWERTOOLS_SERVICE_NAME, set by the stack.
"""
