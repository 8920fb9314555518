"""Spares botocore the writing of BatchWriteItem requests: it walks every key of every row.

The rows of a request are in the API's own shape already, so that Python's JSON writer makes of
them what botocore would. Everything else stays botocore's: signing, sending, retries, errors.
"""

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_KEPT = "crier_request_items"
"""Where the rows are kept in the context that botocore hands from one hook to the other."""


def send_batches_plainly(client: "DynamoDBClient") -> None:
    """Have a client send batches as they are: without bytes, and without validation of them."""
    events = client.meta.events
    events.register("before-parameter-build.dynamodb.BatchWriteItem", _keep_rows)
    events.register("before-call.dynamodb.BatchWriteItem", _write_rows)


def _keep_rows(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    """Leave botocore tables without rows; a hook of botocore's."""
    context[_KEPT] = params["RequestItems"]
    params["RequestItems"] = dict.fromkeys(params["RequestItems"], ())


def _write_rows(params: dict[str, Any], context: dict[str, Any], **_: object) -> None:
    """Put the rows into what is about to be signed and sent; a hook of botocore's."""
    body = json.loads(params["body"]) | {"RequestItems": context[_KEPT]}
    params["body"] = json.dumps(body).encode()
