"""Builds what a function works with while Lambda loads it, before the first event."""

import os
from collections.abc import Callable

from log import logger


def build_in_lambda(build: Callable[[], object]) -> None:
    """Call a builder, if this is Lambda: a function has a whole vCPU while its module is loaded.

    Elsewhere nothing is built at import. What fails is logged, and built again for the first
    event, which raises it if it still fails: a function that cannot be loaded tells less.
    https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
    """
    if "AWS_LAMBDA_FUNCTION_NAME" not in os.environ:
        return
    try:
        build()
    except Exception:  # noqa: BLE001 - whatever it is, the first event is to meet it
        logger.exception("not wired yet")
