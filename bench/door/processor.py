"""What the authorizer costs a processor: its import, and one token with the keys cached."""

import os
import time
from collections.abc import Iterator
from contextlib import redirect_stdout
from pathlib import Path
from statistics import median

from botocore.session import Session

from authorizer_wiring import AuthorizerWiring, build_authorizer
from bench.compare.import_cost import import_seconds
from bench.door.issuer import AUDIENCE, ISSUER, Issuer
from bench.target import Limit, Target
from handlers.authorize import decide
from log import logger
from settings import AuthorizerSettings
from system_clock import SYSTEM_CLOCK

_TOKENS = 500
_PROCESSES = 9
_ARN = "arn:aws:execute-api:eu-central-1:123456789012:api/prod/$connect"
_TOKEN_LIMIT = Limit("≤", 1.0, "ms")
_IMPORT_LIMIT = Limit("≤", 1.0, "x")


def token_cost() -> Iterator[Target]:
    """Yield the CPU time of one RS256 token through the handler, its log line and metric too."""
    issuer = Issuer()
    environment = {
        "AUTH": "jwt",
        "ISSUER": ISSUER,
        "AUDIENCE": AUDIENCE,
        "AUDIENCE_CLAIM": "aud",
        "CHANNELS_CLAIM": "channels",
        "DENY_LIST": "false",
        "SESSION_ENDS_WITH_TOKEN": "true",
        "JWKS_URL": "https://issuer.example/keys",
    }
    wired = build_authorizer(
        AuthorizerSettings.read(environment),
        Session,
        SYSTEM_CLOCK,
        fetcher_of=lambda _: lambda: issuer.key_set,
    )
    events = [_event(issuer.token(f"user-{number}")) for number in range(_TOKENS)]
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere, redirect_stdout(nowhere):
        shown = logger.registered_handler.setStream(nowhere)  # type: ignore[attr-defined]
        try:
            seconds = [_seconds(event, wired) for event in events]
        finally:
            logger.registered_handler.setStream(shown)  # type: ignore[attr-defined]
    yield _TOKEN_LIMIT.judge("CPU of one RS256 token, keys cached", 1_000 * median(seconds))


def import_cost() -> Iterator[Target]:
    """Yield the CPU time of importing the authorizer against the broadcast function's."""
    pairs = [
        (import_seconds("import handlers.authorize"), import_seconds("import handlers.broadcast"))
        for _ in range(_PROCESSES)
    ]
    found = median(one for one, _ in pairs) / median(other for _, other in pairs)
    yield _IMPORT_LIMIT.judge("import of the authorizer against the broadcast function's", found)


def _seconds(event: dict[str, object], wired: AuthorizerWiring) -> float:
    began = time.process_time()
    answer = decide(event, lambda: wired)
    seconds = time.process_time() - began
    assert answer["policyDocument"]["Statement"][0]["Effect"] == "Allow"
    return seconds


def _event(token: str) -> dict[str, object]:
    return {"type": "REQUEST", "methodArn": _ARN, "queryStringParameters": {"token": token}}
