"""Samples of what the release before wrote: one row of each kind, and its messages.

They are literals, and stay as they are: a release in the middle of a broadcast reads the rows of
the release before, and an older release reads ours.
"""

import base64

from broadcasting.items import Item

NOW_MS = 1_700_000_000_000

SUMMARY: Item = {
    "pk": {"S": "broadcast#news-1"},
    "sk": {"S": "summary"},
    "id": {"S": "news-1"},
    "digest": {"S": "befa6f678e304de4f1db0fd4e8318e710676df7144d281774eba71407f11a9d4"},
    "channel": {"S": "*"},
    "seq": {"N": "7"},
    "opened_ms": {"N": "1700000000000"},
    "expires_ms": {"N": "1700000060000"},
    "counts": {
        "S": '{"targeted": 3, "delivered": 1, "gone": 1, "failed": 1, "expired": 0, "throttled": 2}'
    },
    "open_slices": {"N": "2"},
    "slices": {"N": "3"},
    "settled_ms": {"N": "0"},
    "status": {"S": "open"},
    "version": {"N": "4"},
    "writer": {"S": "0c1f"},
    "expiresAt": {"N": "1700604800"},
}

ROOT_SLICE: Item = {
    "pk": {"S": "broadcast#news-1"},
    "sk": {"S": "slice#0"},
    "broadcast_id": {"S": "news-1"},
    "id": {"S": "0"},
    "work": {"B": b'[[[3,"abc="],[4,null]],[["x=",1699999999995,1]]]'},
    "counts": {
        "S": '{"targeted": 5, "delivered": 2, "gone": 1, "failed": 1, "expired": 0, "throttled": 7}'
    },
    "owner": {"S": "f00d"},
    "leased_until_ms": {"N": "1700000065000"},
    "unannounced": {"S": '["2"]'},
    "failed_rows": {"N": "1"},
    "hops": {"N": "2"},
    "is_closed": {"N": "0"},
    "version": {"N": "5"},
    "writer": {"S": "0c1f"},
    "expiresAt": {"N": "1700604800"},
}

SLICE_IN_OUTAGE: Item = {
    "pk": {"S": "broadcast#news-1"},
    "sk": {"S": "slice#2"},
    "broadcast_id": {"S": "news-1"},
    "id": {"S": "2"},
    "work": {"B": b'[[],[["y=",1699999999995,1]]]'},
    "counts": {
        "S": '{"targeted": 1, "delivered": 0, "gone": 0, "failed": 0, "expired": 0, "throttled": 0}'
    },
    "owner": {"S": ""},
    "leased_until_ms": {"N": "1700000005000"},
    "unannounced": {"S": "[]"},
    "failed_rows": {"N": "0"},
    "hops": {"N": "0"},
    "is_closed": {"N": "0"},
    "version": {"N": "2"},
    "outage_since_ms": {"N": "1699999991000"},
    "outage_rounds": {"N": "2"},
    "delivered_before": {"N": "9"},
    "gone_before": {"N": "4"},
    "given_up": {"S": "403 Forbidden"},
    "writer": {"S": "0c1f"},
    "expiresAt": {"N": "1700604800"},
}

COUNTER: Item = {
    "pk": {"S": "channel#*"},
    "sk": {"S": "sequence"},
    "channel": {"S": "*"},
    "last": {"N": "7"},
    "version": {"N": "3"},
    "writer": {"S": "0c1f"},
}

ENTRY: Item = {
    "pk": {"S": "channel#*"},
    "sk": {"S": "seq#000000000007"},
    "channel": {"S": "*"},
    "seq": {"N": "7"},
    "broadcast_id": {"S": "news-1"},
    "opened_ms": {"N": "1700000000000"},
    "version": {"N": "1"},
    "writer": {"S": "0c1f"},
    "expiresAt": {"N": "1700604800"},
}

FRAME: Item = {
    "pk": {"S": "channel#*"},
    "sk": {"S": "frame#000000000007"},
    "channel": {"S": "*"},
    "seq": {"N": "7"},
    "frame": {
        "S": '{"id":"news-1","seq":7,"channel":"*","message":{"text":"hi ✓"},'
        '"sentAt":1700000000000}'
    },
    "version": {"N": "1"},
    "writer": {"S": "0c1f"},
    "expiresAt": {"N": "1700604800"},
}

FAILED: Item = {
    "pk": {"S": "broadcast#news-1"},
    "sk": {"S": "failed#0#000000"},
    "broadcast_id": {"S": "news-1"},
    "slice_id": {"S": "0"},
    "number": {"N": "0"},
    "failed": {"S": '[["z=", "413 too large"]]'},
    "version": {"N": "1"},
    "writer": {"S": "0c1f"},
    "expiresAt": {"N": "1700604800"},
}

ROWS = (SUMMARY, ROOT_SLICE, SLICE_IN_OUTAGE, COUNTER, ENTRY, FRAME, FAILED)

COMPRESSED_BACKLOG = base64.b64decode(
    "eAF10LkNwgAURMFeHDvwvzAEVGI5ov8eMIiQ2Will81xnOtxLK/t2nNZY/+c39btat8UTulUTu00Tjen3enu9GAKa4Q1"
    "whphjbBGWCOsEdYIa4Q10hppjbRGWiOtkdZIa6Q10hppjbJGWaOsUdYoa5Q1yhpljbJGWaOt0dZoa7Q12hptjbZGW6Ot"
    "0dYYa4w1xhpjjbHGWGOsMdYYa8w/jfN8Az4yT7w="
)
"""Sixty connections, as a slice keeps them: more than 1 KiB of JSON."""

BROADCAST_MESSAGE = '{"id": "news-1", "message": {"text": "hi ✓"}, "ttlSeconds": 60}'
"""The message of the broadcast that the rows are of."""

SLICE_MESSAGE = '{"broadcast": "news-1", "slice": "2"}'
