"""The functions' environment."""

import pytest

from access.key_url import parse_key_url
from settings import (
    AuthorizerSettings,
    BroadcastSettings,
    ConnectionSettings,
    ConnectSettings,
    SettingsError,
    TokenSettings,
)
from tests.support.authorizing import PUBLIC_KEYS, SECRETS, TICKETS

RIGHT = {
    "CONNECTIONS_TABLE": "t",
    "BROADCASTS_TABLE": "b",
    "CALLBACK_URL": "https://a/prod",
    "DEAD_LETTER_QUEUE_URL": "https://q/dead",
    "SLICE_QUEUE_URL": "http://q/slices",
    "SLICE_QUEUE_ARN": "arn:slices",
    "SLICE_DEAD_LETTER_QUEUE_URL": "https://q/slice-dead",
    "POSTS_IN_FLIGHT": "32",
    "HTTP2": "true",
    "POSTS_PER_SECOND": "8000",
    "POST_BURST": "4000",
    "OUTAGE_SECONDS": "3600",
    "MAXIMUM_CONCURRENCY": "5",
    "REPLAY_SECONDS": "86400",
}


@pytest.mark.parametrize(("text", "posts"), [("1", 1), (" 4096 ", 4_096)])
def test_settings_are_read(text: str, posts: int) -> None:
    """Each has its place; space around does not matter."""
    settings = BroadcastSettings.read(RIGHT | {"POSTS_IN_FLIGHT": text})

    assert settings.posts_in_flight == posts
    assert settings.callback_url == "https://a/prod"
    assert settings.broadcasts_table == "b"
    assert ConnectionSettings.read(RIGHT).connections_table == "t"


@pytest.mark.parametrize(
    ("environment", "needs_user"),
    [({}, False), ({"NEEDS_USER": "false"}, False), ({"NEEDS_USER": "true"}, True)],
)
def test_settings_say_whether_each_client_has_a_user(
    environment: dict[str, str], *, needs_user: bool
) -> None:
    """Without the variable none needs one: a deploy sets a function's code first."""
    assert ConnectSettings.read(environment).needs_user is needs_user


def test_settings_refuse_what_does_not_say_whether_each_client_has_a_user() -> None:
    """Else a slip would open the door."""
    with pytest.raises(SettingsError, match="NEEDS_USER is 'yes', expected true or false"):
        ConnectSettings.read({"NEEDS_USER": "yes"})


def test_settings_have_the_bounds_of_the_deploy_settings() -> None:
    """The stack lets no other values through."""
    least = {"OUTAGE_SECONDS": "60", "MAXIMUM_CONCURRENCY": "2"}
    most = {"OUTAGE_SECONDS": "43200", "MAXIMUM_CONCURRENCY": "1000"}
    beyond = {"OUTAGE_SECONDS": "43201", "MAXIMUM_CONCURRENCY": "1"}

    read = [BroadcastSettings.read(RIGHT | bounds) for bounds in (least, most)]

    found = [(one.outage_seconds, one.maximum_concurrency) for one in read]
    assert found == [(60, 2), (43_200, 1_000)]
    with pytest.raises(SettingsError, match=r"OUTAGE_SECONDS is '43201'.*MAXIMUM_CONCURRENCY is"):
        BroadcastSettings.read(RIGHT | beyond)


@pytest.mark.parametrize(("text", "is_offered"), [("true", True), (" false ", False)])
def test_settings_say_whether_http2_is_offered(text: str, *, is_offered: bool) -> None:
    """As the stack writes it."""
    assert BroadcastSettings.read(RIGHT | {"HTTP2": text}).http2 is is_offered


@pytest.mark.parametrize("text", ["True", "0", "no"])
def test_settings_are_refused_when_they_neither_offer_http2_nor_do_not(text: str) -> None:
    """What the stack does not write is no setting."""
    with pytest.raises(SettingsError, match=f"HTTP2 is '{text}', expected true or false"):
        BroadcastSettings.read(RIGHT | {"HTTP2": text})


def test_settings_are_refused_all_at_once_when_missing() -> None:
    """One error names every one of them."""
    with pytest.raises(SettingsError) as caught:
        BroadcastSettings.read({"CONNECTIONS_TABLE": "  "})

    assert caught.value.problems == [f"{name} is missing" for name in RIGHT]
    assert all(name in str(caught.value) for name in RIGHT)


def test_connection_settings_are_refused_when_missing() -> None:
    """The connect function needs its table only."""
    with pytest.raises(SettingsError, match="CONNECTIONS_TABLE is missing"):
        ConnectionSettings.read({})


@pytest.mark.parametrize(
    "posts",
    [
        "0",
        "4097",
        "-1",
        "1.5",
        "many",
        "\u0663",
        "\u00b2",
        "9" * 5000,
    ],
)
def test_settings_are_refused_when_wrong(posts: str) -> None:
    """A wrong number and a wrong URL are named in one error."""
    with pytest.raises(SettingsError) as caught:
        BroadcastSettings.read(RIGHT | {"POSTS_IN_FLIGHT": posts, "CALLBACK_URL": "wss://a"})

    assert [problem.split()[0] for problem in caught.value.problems] == [
        "CALLBACK_URL",
        "POSTS_IN_FLIGHT",
    ]


def test_authorizer_settings_are_those_of_its_mode() -> None:
    """Public keys or a secret verify tokens; a table is read for tickets and for the deny list."""
    keys, secret, tickets = map(AuthorizerSettings.read, (PUBLIC_KEYS, SECRETS, TICKETS))
    denying = AuthorizerSettings.read(SECRETS | {"DENY_LIST": "true", "CONNECTIONS_TABLE": "t"})

    url = parse_key_url("https://issuer.example/keys")
    by_keys = TokenSettings(url, None, "https://issuer.example", "crier", "aud", "channels")
    assert keys == AuthorizerSettings(
        by_keys, "", (), deny_list=False, session_ends_with_token=True
    )
    assert secret.token == by_keys._replace(jwks_url=None, secret_id="crier/secret")
    assert (tickets.token, tickets.connections_table) == (None, "t")
    assert (denying.connections_table, denying.deny_list) == ("t", True)


def test_authorizer_settings_may_name_claims_and_origins() -> None:
    """Spaces around an origin do not matter, and neither does a comma at the end."""
    settings = AuthorizerSettings.read(
        PUBLIC_KEYS
        | {
            "AUDIENCE_CLAIM": "client_id",
            "CHANNELS_CLAIM": "https://a/rooms",
            "ALLOWED_ORIGINS": "https://a.example, https://b.example,",
            "SESSION_ENDS_WITH_TOKEN": "false",
        }
    )

    assert settings.token
    assert settings.token.audience_claim == "client_id"
    assert settings.token.channels_claim == "https://a/rooms"
    assert settings.allowed_origins == ("https://a.example", "https://b.example")
    assert not settings.session_ends_with_token


@pytest.mark.parametrize(
    ("environment", "problems"),
    [
        ({}, ["AUTH is missing", "DENY_LIST is missing", "SESSION_ENDS_WITH_TOKEN is missing"]),
        (TICKETS | {"AUTH": "open"}, ["AUTH is 'open', expected jwt or ticket"]),
        (TICKETS | {"CONNECTIONS_TABLE": ""}, ["CONNECTIONS_TABLE is missing"]),
        (PUBLIC_KEYS | {"DENY_LIST": "true"}, ["CONNECTIONS_TABLE is missing"]),
        (PUBLIC_KEYS | {"DENY_LIST": "yes"}, ["DENY_LIST is 'yes', expected true or false"]),
        (
            TICKETS | {"ALLOWED_ORIGINS": " , "},  # no origin at all would allow each of them
            ["ALLOWED_ORIGINS is ',', expected names with commas between them"],
        ),
        (
            PUBLIC_KEYS | {"JWT_SECRET_ARN": "x"},
            ["found both of JWKS_URL and JWT_SECRET_ARN, expected one of them"],
        ),
        (
            PUBLIC_KEYS | {"JWKS_URL": "", "ISSUER": " ", "AUDIENCE": ""},
            [
                "found neither of JWKS_URL and JWT_SECRET_ARN, expected one of them",
                *("ISSUER is missing", "AUDIENCE is missing"),
            ],
        ),
    ],
)
def test_authorizer_settings_are_refused_all_at_once(
    environment: dict[str, str], problems: list[str]
) -> None:
    """One error names each of them."""
    with pytest.raises(SettingsError) as caught:
        AuthorizerSettings.read(environment)

    assert caught.value.problems == problems


@pytest.mark.parametrize("url", ["http://issuer.example/keys", "issuer.example", "ftp://a/keys"])
def test_authorizer_settings_are_refused_when_keys_would_come_unprotected(url: str) -> None:
    """Anyone on the way could put in keys of his own."""
    with pytest.raises(SettingsError, match=r"JWKS_URL is .*, expected an https URL"):
        AuthorizerSettings.read(PUBLIC_KEYS | {"JWKS_URL": url})
