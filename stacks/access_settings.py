"""Who may connect: the rules that look at several settings together.

Each trouble names the setting to look at, and says what was found, what is expected, and what to
add or to take out.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from stacks.allowed_values import is_loopback

NO_AUTH = (
    "auth is not set, and prod has no default. Expected one of four: "
    "open (anybody who knows the URL; say allowOpen=true, too), "
    "iam (callers with AWS credentials sign the URL), "
    "jwt (clients bring a token of your issuer; say issuer, audience, and jwksUrl or jwtSecret), "
    "ticket (your application writes a ticket for each client, which lets it in once). "
    "Add one, such as -c auth=ticket, or name it in the context of cdk.json"
)


class Trouble(NamedTuple):
    """What is wrong: a setting's name, and the words that follow its value in a message."""

    name: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessSettings:
    """Who may connect to one stage.

    auth                       open, iam, jwt or ticket
    allow_open                 prod may be open
    jwks_url                   jwt: where the issuer's keys are, for RS256 and ES256
    jwt_secret                 jwt: name or ARN of a secret of Secrets Manager, for HS256
    issuer                     jwt: the claim `iss` of every token
    audience                   jwt: what the audience claim of every token is, or contains
    audience_claim             jwt: the claim that has the audience
    channels_claim             jwt: the claim with the channels that a client may use
    session_ends_with_token    jwt: nothing is sent to a client whose token has expired
    allowed_origins            jwt, ticket: the origins whose pages may connect, empty for all: a
                               list in cdk.json, with commas after -c
    deny_list                  jwt, ticket: refuse a user for whom there is a row `denied#<user>`
    """

    auth: str = "open"
    allow_open: bool = False
    jwks_url: str | None = None
    jwt_secret: str | None = None
    issuer: str | None = None
    audience: str | None = None
    audience_claim: str = "aud"
    channels_claim: str = "channels"
    session_ends_with_token: bool = True
    allowed_origins: tuple[str, ...] = ()
    deny_list: bool = False

    @property
    def has_authorizer(self) -> bool:
        """Whether a function of ours decides who may connect."""
        return self.auth in ("jwt", "ticket")


def trouble_with(settings: AccessSettings, *, is_prod: bool, is_local: bool) -> Trouble | None:
    """Return the first thing that is wrong with settings, each of which is right by itself.

    `is_local` is whether they are for the local run.
    """
    found = [*_open_troubles(settings, is_prod=is_prod), *_foreign_troubles(settings)]
    if settings.auth == "jwt":
        found += _jwt_troubles(settings, is_local=is_local)
    return found[0] if found else None


def _open_troubles(settings: AccessSettings, *, is_prod: bool) -> Iterator[Trouble]:
    if settings.auth != "open" and settings.allow_open:
        yield Trouble(
            "allow_open", f" with auth={settings.auth}, expected only with auth=open: take it out"
        )
    if settings.auth == "open" and is_prod and not settings.allow_open:
        yield Trouble(
            "auth",
            " with stage prod: anybody who knows the URL would receive every broadcast. Expected "
            "iam, jwt or ticket; if everybody may, add allowOpen=true",
        )


def _foreign_troubles(settings: AccessSettings) -> Iterator[Trouble]:
    """Yield the settings that mean nothing in this mode."""
    if settings.auth != "jwt":
        for name, is_set in (
            ("jwks_url", settings.jwks_url is not None),
            ("jwt_secret", settings.jwt_secret is not None),
            ("issuer", settings.issuer is not None),
            ("audience", settings.audience is not None),
            ("audience_claim", settings.audience_claim != "aud"),
            ("channels_claim", settings.channels_claim != "channels"),
            ("session_ends_with_token", not settings.session_ends_with_token),
        ):
            if is_set:
                yield _foreign(name, settings.auth, "auth=jwt")
    if not settings.has_authorizer:
        if settings.allowed_origins:
            yield _foreign("allowed_origins", settings.auth, "auth=jwt or auth=ticket")
        if settings.deny_list:
            yield _foreign("deny_list", settings.auth, "auth=jwt or auth=ticket")


def _foreign(name: str, auth: str, expected: str) -> Trouble:
    return Trouble(
        name, f" with auth={auth}, expected only with {expected}: take it out, or change auth"
    )


def _jwt_troubles(settings: AccessSettings, *, is_local: bool) -> Iterator[Trouble]:
    """Yield what jwt lacks, and what it has twice."""
    if settings.issuer is None:
        yield Trouble(
            "auth",
            " and issuer is not set, expected the claim `iss` of your tokens, letter by letter: "
            "add issuer, such as issuer=https://issuer.example",
        )
    if settings.audience is None:
        yield Trouble(
            "auth",
            " and audience is not set, expected what your tokens name as theirs: add audience, and "
            "audienceClaim where that is not in `aud`",
        )
    if settings.jwks_url is None and settings.jwt_secret is None:
        yield Trouble(
            "auth",
            " and neither jwksUrl nor jwtSecret is set, expected one of them: add jwksUrl for "
            "tokens signed with RS256 or ES256, or jwtSecret for HS256",
        )
    if settings.jwks_url is not None and settings.jwt_secret is not None:
        yield Trouble(
            "jwt_secret",
            " and jwksUrl is set, too, expected one of them, because one deploy takes either "
            "public keys or a shared secret: take one out",
        )
    if settings.jwks_url and is_loopback(settings.jwks_url) and not is_local:
        yield Trouble(
            "jwks_url",
            ", expected https: only `crier local` takes keys over plain http, and of this machine "
            "only. Name the https URL of your issuer's keys",
        )
