"""Producers besides the AWS account's own identities: SNS topics and EventBridge rules."""

import re
from collections import Counter
from collections.abc import Sequence

EXPECTED = (
    "ARNs of SNS topics and EventBridge rules, such as "
    "arn:aws:sns:eu-central-1:123456789012:news or "
    "arn:aws:events:eu-central-1:123456789012:rule/news"
)

MOST_ARN_BYTES = 7_000
"""Of the 8,192 bytes that a queue's policy may have; all else in it takes some 900.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-policies.html
"""

_BYTES_AROUND = 3  # two quotes and a comma
_PLACE = r"arn:aws[a-z-]*:{service}:[a-z]+(-[a-z0-9]+)+:[0-9]{{12}}:"
_TOPIC = re.compile(_PLACE.format(service="sns") + r"[A-Za-z0-9_-]{1,256}(\.fifo)?")
_RULE = re.compile(
    _PLACE.format(service="events")
    + r"rule/([A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*/)?[A-Za-z0-9._-]{1,64}"
)
"""The name of a rule that is not on the default bus has that of its bus before it; the bus of a
partner has slashes in its name.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoneventbridge.html
"""

_SERVICE = re.compile(r"arn:[^:]*:([^:]*):")


def trouble_with(arns: Sequence[str]) -> str:
    """Return what is wrong with a list of producers, empty when nothing is."""
    for arn, times in Counter(arns).items():
        if wrong := _wrong(arn):
            return f"names {arn!r}, which {wrong}"
        if times > 1:
            return f"names {arn} {times} times"
    if sum(len(arn) + _BYTES_AROUND for arn in arns) > MOST_ARN_BYTES:
        return f"names {len(arns)} ARNs, more than the {MOST_ARN_BYTES:,} bytes that a policy takes"
    return ""


def service_of(arn: str) -> str:
    """Return the service of an ARN, such as `sns`, empty when it is none."""
    found = _SERVICE.match(arn)
    return found[1] if found else ""


def _wrong(arn: str) -> str:
    if re.search(r"\s", arn):
        return "has whitespace"
    if set(arn) & set("*?"):
        return "has a wildcard: each topic and rule is named"
    service = service_of(arn)
    if not service:
        return "is no ARN"
    if service not in ("sns", "events"):
        return f"is of {service}"
    pattern, kind = (_TOPIC, "topic") if service == "sns" else (_RULE, "rule")
    return "" if pattern.fullmatch(arn) else f"is not the ARN of a {kind}"
