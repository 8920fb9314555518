"""A connections table of any size that takes no room: its pages are made when they are read.

An id holds its own place, so that a Query can go on after any id; all else in it is noise, as in
the service's own ids.
"""

import base64
import hashlib
import json
import time
from collections.abc import Iterator
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders

from broadcasting.connection import SHARDS
from broadcasting.connection_row import CONNECTED_AT, partition_of
from broadcasting.items import SORT_KEY, attribute_of, key_attributes

_PLACE_BYTES, _NOISE_BYTES = 4, 7
_AGE_MS = 600_000
_OK = 200
_SHARD_OF = {partition_of(shard): shard for shard in range(SHARDS)}


class GeneratedRows:
    """The pages of a given number of connections."""

    def __init__(self, connections: int) -> None:
        self._of_shard = [
            connections // SHARDS + (shard < connections % SHARDS) for shard in range(SHARDS)
        ]
        self._connected_at = time.time_ns() // 1_000_000 - _AGE_MS

    def answer(self, params: dict[str, Any], **_: object) -> tuple[AWSResponse, dict[str, Any]]:
        """Answer a Query in place of DynamoDB: a hook for botocore's `before-call`."""
        request = json.loads(params["body"])
        partition = request["ExpressionAttributeValues"][":shard"]["S"]
        shard = _SHARD_OF[partition]
        after = request.get("ExclusiveStartKey", {}).get(SORT_KEY, {}).get("S")
        start = place_of(after) + 1 if after else 0
        end = min(self._of_shard[shard], start + request["Limit"])
        ids = [id_at(shard, place) for place in range(start, end)]
        page: dict[str, Any] = {
            "Items": [
                {SORT_KEY: attribute_of(one), CONNECTED_AT: attribute_of(self._connected_at)}
                for one in ids
            ]
        }
        if end < self._of_shard[shard]:
            page["LastEvaluatedKey"] = key_attributes((partition, ids[-1]))
        return AWSResponse(params["url"], _OK, HTTPHeaders(), None), page


def id_at(shard: int, place: int) -> str:
    """Return the id of the connection at a place of a shard."""
    noise = hashlib.sha256(b"%d %d" % (shard, place)).digest()[:_NOISE_BYTES]
    return base64.urlsafe_b64encode(place.to_bytes(_PLACE_BYTES) + noise).decode()


def place_of(connection_id: str) -> int:
    """Return the place of a connection in its shard."""
    return int.from_bytes(base64.urlsafe_b64decode(connection_id)[:_PLACE_BYTES])


def usual_ids(connections: int) -> Iterator[str]:
    """Yield ids as the service's are."""
    return (id_at(SHARDS, place) for place in range(connections))
