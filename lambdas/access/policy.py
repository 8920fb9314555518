"""What the authorizer answers API Gateway: an IAM policy, and what it says of the client.

The answer has at most 8 KB, which its parts cannot exceed: 128 characters of a user, 4,096 of
channels, and the name of one route.
https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html
"""

import re
from typing import Any, Final

from access.client import Client
from broadcasting.channel_patterns import NO_CHANNELS

REFUSED: Final = "refused"
"""The principal of a client that is not let in: an answer must name one."""

_METHOD_ARN: Final = re.compile(
    r"arn:[\w-]{1,20}:execute-api:[\w-]{1,40}:\d{0,12}:\w{1,40}/[\w$.-]{1,128}/\$connect", re.ASCII
)


def is_method_arn(found: object) -> bool:
    """Tell whether this is the ARN of one `$connect` route, which a policy may name as it is."""
    return isinstance(found, str) and _METHOD_ARN.fullmatch(found) is not None


def allow(method_arn: str, client: Client) -> dict[str, Any]:
    """Let a client in by this route. Its channels and its expiry come with every later event."""
    context: dict[str, str] = {}
    if client.channels is not None:
        context["channels"] = " ".join(client.channels) or NO_CHANNELS
    if client.expires_seconds is not None:
        context["exp"] = str(client.expires_seconds)
    return _answer(client.user, "Allow", method_arn) | {"context": context}


def deny(method_arn: object) -> dict[str, Any]:
    """Refuse a client: by this route, by every one when the event does not name it."""
    return _answer(REFUSED, "Deny", str(method_arn) if is_method_arn(method_arn) else "*")


def _answer(principal: str, effect: str, resource: str) -> dict[str, Any]:
    statement = {"Action": "execute-api:Invoke", "Effect": effect, "Resource": resource}
    policy = {"Version": "2012-10-17", "Statement": [statement]}
    return {"principalId": principal, "policyDocument": policy}
