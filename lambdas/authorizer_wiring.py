"""Builds what the authorizer works with, on its first call, and imports what its mode needs only.

A client waits for the authorizer's cold start: PyJWT and cryptography are imported to verify tokens
only, botocore where a table or a secret is read. The wiring of the other functions would import all
of the delivery.
"""

# ruff: noqa: PLC0415 - each mode imports its own

import os
from collections.abc import Callable
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from access.admission import Admission, Identify
from access.key_errors import KeysError
from access.ticket import TicketOffice
from broadcasting.clock import Clock
from failures import failure_of
from log import logger
from settings import AuthorizerSettings, TokenSettings
from system_clock import SYSTEM_CLOCK

if TYPE_CHECKING:
    from botocore.session import Session

    from access.key_set import KeySet
    from access.key_url import KeyUrl
    from storage.door_table import DoorTable
    from storage.secret import Secret

OpenSession = Callable[[], "Session"]

FetcherOf = Callable[["KeyUrl"], Callable[[], bytes]]
"""Takes a URL; returns what fetches its document."""


class AuthorizerWiring(NamedTuple):
    """What the authorizer works with."""

    admission: Admission
    clock: Clock


@cache
def authorizer_wiring() -> AuthorizerWiring:
    """Return what the authorizer works with. Raises SettingsError."""
    return build_authorizer(AuthorizerSettings.read(os.environ), _open_session, SYSTEM_CLOCK)


def build_authorizer(
    settings: AuthorizerSettings,
    open_session: OpenSession,
    clock: Clock,
    *,
    fetcher_of: FetcherOf | None = None,
) -> AuthorizerWiring:
    """Build what the authorizer works with; a session is opened where AWS is asked, only.

    `fetcher_of` is for tests: without it the keys are fetched over https.
    """
    open_session = cache(open_session)  # a secret and a deny list are read by one
    table = _door_table(settings, open_session, clock) if settings.connections_table else None
    if settings.token and settings.token.jwks_url:
        fetch = (fetcher_of or _fetcher_of)(settings.token.jwks_url)
        identify = _by_public_keys(settings.token, fetch, clock)
    elif settings.token:
        identify = _by_secret(settings.token, open_session, clock)
    else:
        assert table, "settings of tickets name a table"
        identify = TicketOffice(table.take_ticket).redeem
    return AuthorizerWiring(
        Admission(
            identify=identify,
            allowed_origins=settings.allowed_origins,
            find_denial=table.find_denial if table and settings.deny_list else None,
            session_ends_with_token=settings.session_ends_with_token,
        ),
        clock,
    )


def _fetcher_of(url: "KeyUrl") -> Callable[[], bytes]:
    from access.key_fetch import KeyFetcher, tls_context

    return KeyFetcher(url, tls=tls_context() if url.scheme == "https" else None).fetch


def _by_public_keys(
    token: TokenSettings, fetch_document: Callable[[], bytes], clock: Clock
) -> Identify:
    from access.key_set import parse_key_set
    from access.key_source import KeySource
    from access.verifier import PUBLIC_KEY_ALGORITHMS, TokenVerifier

    def fetch() -> "KeySet":
        return parse_key_set(fetch_document())

    source = KeySource(fetch, now_seconds=_seconds_of(clock), warn=_warn)
    return TokenVerifier(_rules(token), PUBLIC_KEY_ALGORITHMS, source.find).verify


def _by_secret(token: TokenSettings, open_session: OpenSession, clock: Clock) -> Identify:
    from access.key_source import KeySource
    from access.secret_verifier import UNKNOWN_SECRET_SECONDS, SecretVerifier, secret_key_set

    secret = _secret(token, open_session, clock)

    def fetch() -> "KeySet":
        return secret_key_set(secret.current(), _previous(secret))

    source = KeySource(
        fetch,
        now_seconds=_seconds_of(clock),
        warn=_warn,
        unknown_seconds=UNKNOWN_SECRET_SECONDS,
    )
    return SecretVerifier(_rules(token, needs_scope=True), source).verify


def _previous(secret: "Secret") -> bytes | None:
    """Return the secret of before the last rotation; the current one serves without it."""
    from storage.errors import ReadError

    try:
        return secret.previous()
    except ReadError as error:
        _warn(error)
        return None


def _rules(token: TokenSettings, *, needs_scope: bool = False) -> Any:
    from access.claims import ClaimRules

    return ClaimRules(
        issuer=token.issuer,
        audience=token.audience,
        audience_claim=token.audience_claim,
        channels_claim=token.channels_claim,
        needs_scope=needs_scope,
    )


def _secret(token: TokenSettings, open_session: OpenSession, clock: Clock) -> "Secret":
    from storage.secret import Secret

    return Secret(_client("secretsmanager", open_session(), clock), token.secret_id or "")


def _door_table(
    settings: AuthorizerSettings, open_session: OpenSession, clock: Clock
) -> "DoorTable":
    from storage.door_table import DoorTable

    return DoorTable(_client("dynamodb", open_session(), clock), settings.connections_table)


def _client(service: str, session: "Session", clock: Clock) -> Any:
    """Return a client with short time-outs; its name is made once, as for the other functions."""
    from botocore.config import Config

    from storage.door_table import DOOR_CONFIG
    from storage.idle_connections import close_when_idle

    config = DOOR_CONFIG.merge(Config(user_agent=session.user_agent()))
    client = session.create_client(service, config=config)
    close_when_idle(client, clock)
    return client


def _open_session() -> "Session":
    from botocore.session import Session

    return Session()


def _seconds_of(clock: Clock) -> Callable[[], float]:
    """Return the epoch's clock in seconds: it goes on while the function is frozen."""
    return lambda: clock.epoch_ms() / 1000


def _warn(error: Exception) -> None:
    from storage.errors import StorageError

    logger.error("keys not fetched", extra=failure_of(error, KeysError, StorageError))
