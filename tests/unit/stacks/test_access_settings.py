"""Who may connect: what each mode needs, what contradicts it, and what its user is told."""

from typing import Any

import pytest

from stacks.settings import DeploySettings, SettingsError

ISSUER = "https://issuer.example"
KEYS = f"{ISSUER}/.well-known/jwks.json"
LOCAL = {"localCallbackBase": "http://127.0.0.1:4566/_aws/execute-api"}
JWT = {"auth": "jwt", "issuer": ISSUER, "audience": "app", "jwksUrl": KEYS}
HS256 = {"auth": "jwt", "issuer": ISSUER, "audience": "app", "jwtSecret": "crier/key"}
KEY_ARN = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:crier/key-a1B2c3"
ONLY_JWT = "expected only with auth=jwt: take it out, or change auth"
ONLY_OURS = "expected only with auth=jwt or auth=ticket: take it out, or change auth"


def refusal(context: dict[str, Any]) -> str:
    """Return what the user of a context is told."""
    with pytest.raises(SettingsError) as caught:
        DeploySettings.from_context(context)
    return str(caught.value)


def without(context: dict[str, str], *names: str) -> dict[str, str]:
    """Return a context that lacks some names."""
    return {name: value for name, value in context.items() if name not in names}


def test_prod_names_the_four_choices_when_none_is_made() -> None:
    """It has no default, also not one of a forgotten setting."""
    said = refusal({"stage": "prod"})

    assert said.startswith("auth is not set, and prod has no default. Expected one of four: open (")
    assert all(f"{mode} (" in said for mode in ("open", "iam", "jwt", "ticket"))
    assert "SETTINGS=auth=ticket for make or -c auth=ticket for the CDK" in said


def test_jwt_names_all_that_it_lacks_at_once() -> None:
    """A deploy takes half a minute: its user learns of three settings from one of them."""
    said = refusal({"auth": "jwt"})

    assert said.startswith("auth is 'jwt' and issuer is not set")
    assert "; and audience is not set" in said
    assert "; and neither jwksUrl nor jwtSecret is set" in said


def test_dev_is_open_by_default() -> None:
    """Who tries Crier out has no issuer yet."""
    assert DeploySettings.from_context({}).auth == "open"


@pytest.mark.parametrize(
    ("context", "said"),
    [
        ({"auth": "none"}, "auth is 'none', expected open, iam, jwt or ticket (-c auth=…)"),
        ({"auth": "JWT"}, "auth is 'JWT', expected open, iam, jwt or ticket (-c auth=…)"),
        ({"auth": ""}, "auth is '', expected open, iam, jwt or ticket (-c auth=…)"),
        ({"auth": True}, "auth is true, expected open, iam, jwt or ticket (-c auth=…)"),
        (
            {"stage": "prod", "auth": "open"},
            "auth is 'open' with stage prod: anybody who knows the URL would receive every broadc",
        ),
        (
            {"auth": "ticket", "allowOpen": "true"},
            "allowOpen is true with auth=ticket, expected only with auth=open: take it out",
        ),
        (
            without(JWT, "issuer"),
            "auth is 'jwt' and issuer is not set, expected the claim `iss` of your tokens, letter",
        ),
        (
            without(JWT, "audience"),
            "auth is 'jwt' and audience is not set, expected what your tokens name as theirs: add",
        ),
        (
            without(JWT, "jwksUrl"),
            "auth is 'jwt' and neither jwksUrl nor jwtSecret is set, expected one of them: add jw",
        ),
        (
            {**JWT, "jwtSecret": "key"},
            "jwtSecret is 'key' and jwksUrl is set, too, expected one of them, because one deploy",
        ),
        (
            {**JWT, "jwksUrl": "http://127.0.0.1:9/keys"},
            "jwksUrl is 'http://127.0.0.1:9/keys', expected https: only `crier local` takes keys",
        ),
        ({"jwksUrl": KEYS}, f"jwksUrl is '{KEYS}' with auth=open, {ONLY_JWT}"),
        (
            {"auth": "ticket", "jwtSecret": "key"},
            f"jwtSecret is 'key' with auth=ticket, {ONLY_JWT}",
        ),
        ({"auth": "iam", "issuer": "me"}, f"issuer is 'me' with auth=iam, {ONLY_JWT}"),
        ({"auth": "ticket", "audience": "a"}, f"audience is 'a' with auth=ticket, {ONLY_JWT}"),
        (
            {"auth": "ticket", "audienceClaim": "client_id"},
            f"audienceClaim is 'client_id' with auth=ticket, {ONLY_JWT}",
        ),
        ({"channelsClaim": "c"}, f"channelsClaim is 'c' with auth=open, {ONLY_JWT}"),
        (
            {"auth": "ticket", "sessionEndsWithToken": "false"},
            f"sessionEndsWithToken is false with auth=ticket, {ONLY_JWT}",
        ),
        (
            {"auth": "iam", "allowedOrigins": "https://a.example"},
            f"allowedOrigins is 'https://a.example' with auth=iam, {ONLY_OURS}",
        ),
        ({"denyList": "true"}, f"denyList is true with auth=open, {ONLY_OURS}"),
        ({"auth": "iam", "denyList": True}, f"denyList is true with auth=iam, {ONLY_OURS}"),
    ],
)
def test_settings_of_access_that_contradict_are_refused(context: dict[str, Any], said: str) -> None:
    """The message has what was found, what is expected, and what to add or to take out."""
    found = refusal(context)

    assert found.startswith(said)
    assert found.endswith("=…)")


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        *(
            (name, value, f"the {what}: 1 to 512 visible characters of ASCII, without blanks")
            for name, what in (
                ("issuer", "issuer exactly as tokens name it"),
                ("audience", "audience that tokens name"),
            )
            for value in ("", " ", "a b", "a\n", "\x00", "é", "x" * 513, "x" * 2_000)
        ),
        *(
            (name, value, "the name of a claim: 1 to 128 visible characters")
            for name in ("audienceClaim", "channelsClaim")
            for value in ("", "a b", "a\tb", "x" * 129)
        ),
        ("issuer", None, "the issuer exactly as tokens name it"),
        ("audience", ["a", "b"], "the audience that tokens name"),
        *(
            ("jwksUrl", value, "an https URL, such as https://")
            for value in (
                *("", "issuer.example/keys", "http://issuer.example/keys", "ftp://a/b", "https://"),
                *("https:///keys", "https://a b/keys", "https://me:word@a.example/keys"),
                *("https://a.example/keys#1", "https://a.example/#", "https://a.example:99999/"),
                *("https://a.example/\n", "https://[::1", f"https://a.example/{'x' * 2_000}"),
                *("http://127.0.0.1@a.example/keys", "http://localhost.a.example/", "file:///keys"),
            )
        ),
        *(
            ("jwtSecret", value, "a secret of Secrets Manager: its name (1 to 512 of A-Z")
            for value in (
                *("", "my key", "key!", "schlüssel", "key*", "k?", "x" * 513, "a\n", "a:b"),
                *("arn:aws:secretsmanager:eu-central-1:123456789012:secret:key", "arn:aws:s3:::b"),
                *("arn:aws:secretsmanager:eu-central-1:1234:secret:key-a1B2c3", "arn:"),
                "arn:aws:secretsmanager:eu-central-1:123456789012:secret:*-a1B2c3",
            )
        ),
        ("executionLogs", "info", "off or errors"),
        ("executionLogs", "ERROR", "off or errors"),
        ("executionLogs", False, "off or errors"),
        *(
            (name, "yes", "true or false")
            for name in ("allowOpen", "denyList", "sessionEndsWithToken")
        ),
    ],
)
def test_odd_value_is_refused_with_what_it_may_be(name: str, value: object, expected: str) -> None:
    """Each by itself, whatever the mode is, and a long one is cut."""
    said = refusal({**without(JWT, name), name: value})

    assert said.startswith(f"{name} is ")
    assert f", expected {expected}" in said
    assert said.endswith(f"(-c {name}=…)")
    assert len(said) < 500


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("", "names '', which is no origin"),
        ("*", "names '*', which has a wildcard: each origin is named"),
        ("https://*.a.example", "which has a wildcard"),
        ("null", "names 'null', which is what sandboxed frames and local files have in common"),
        ("https://a.example/path", "names 'https://a.example/path', which is no origin"),
        ("https://a.example/", "which is no origin"),
        ("https://A.example", "which is no origin"),
        ("HTTPS://a.example", "which is no origin"),
        ("a.example", "which is no origin"),
        ("wss://a.example", "which is no origin"),
        ("https://me@a.example", "which is no origin"),
        ("https://a..example", "which is no origin"),
        ("https://-a.example", "which is no origin"),
        ("https://bücher.example", "which is no origin"),
        ("https://a.example:443", "which has a port that browsers leave out"),
        ("http://a.example:80", "which has a port that browsers leave out"),
        ("https://a.example:0", "which is no origin"),
        ("https://a.example:65536", "which has no port of TCP"),
        ("https://a.example, https://b.example", "names ' https://b.example', which is no origin"),
        ("https://a.example,", "names '', which is no origin"),
        (["https://a.example\n"], "which is no origin"),
        (["https://a.example", "https://b.example"] * 2, "names https://a.example 2 times"),
        ([f"https://a{number}.example" for number in range(60)], "more than the 1,024 there is"),
    ],
)
def test_origins_are_named_as_browsers_name_them(value: object, found: str) -> None:
    """What no browser sends would never match, and lock all pages out."""
    said = refusal({"auth": "ticket", "allowedOrigins": value})

    assert said.startswith("allowedOrigins ")
    assert found in said
    assert ", expected origins as browsers name them, such as https://app.example" in said


@pytest.mark.parametrize("value", [1, True, None, {"a": 1}, [1], ["https://a.example", None]])
def test_origins_that_are_no_list_are_refused(value: object) -> None:
    """Not even JSON of another kind becomes an origin by accident."""
    assert refusal({"auth": "ticket", "allowedOrigins": value}).startswith("allowedOrigins is ")


@pytest.mark.parametrize(
    "origin",
    [
        *("https://a.example", "http://localhost:3000", "http://127.0.0.1:8080"),
        *("https://[2001:db8::1]:8443", "https://xn--bcher-kva.example"),
    ],
)
def test_origins_are_a_list_or_a_text_with_commas(origin: str) -> None:
    """A list in cdk.json, a text on the command line; an empty list is all."""
    other = "https://b.example"

    for given in ([origin, other], f"{origin},{other}"):
        settings = DeploySettings.from_context({"auth": "ticket", "allowedOrigins": given})
        assert settings.allowed_origins == (origin, other)
    assert DeploySettings.from_context({"allowedOrigins": []}).allowed_origins == ()


@pytest.mark.parametrize(
    "context",
    [
        {"stage": "prod", "auth": "open", "allowOpen": "true"},
        {"auth": "open", "allowOpen": True},
        {"stage": "prod", "auth": "iam"},
        {"stage": "prod", "auth": "ticket", "denyList": "true"},
        {"stage": "prod", **JWT},
        {"stage": "prod", **HS256},
        {**HS256, "jwtSecret": KEY_ARN},
        {**HS256, "jwtSecret": KEY_ARN.replace("aws", "aws-cn", 1)},
        {**HS256, "jwtSecret": "x" * 512},
        {**JWT, "issuer": "x" * 512, "audience": "x" * 512},
        {**JWT, "jwksUrl": "https://127.0.0.1:8443/keys?v=1"},
        {**JWT, "audienceClaim": "client_id", "channelsClaim": "https://a.example/channels"},
        {**JWT, "sessionEndsWithToken": False, "denyList": True, "executionLogs": "errors"},
        {**JWT, **LOCAL, "jwksUrl": "http://127.0.0.1:4566/pool/.well-known/jwks.json"},
        {**JWT, **LOCAL, "jwksUrl": "http://[::1]:4566/keys"},
        {"auth": "ticket", "audienceClaim": "aud", "sessionEndsWithToken": "true"},
    ],
)
def test_settings_of_access_that_fit_are_taken(context: dict[str, Any]) -> None:
    """Each mode alone and with what goes with it."""
    settings = DeploySettings.from_context(context)

    assert settings.auth == context["auth"]
    assert settings.has_authorizer == (context["auth"] in ("jwt", "ticket"))


def test_settings_are_refused_for_the_first_thing_that_is_wrong() -> None:
    """One error at a time: what opens the door comes before what means nothing."""
    told = refusal({"auth": "iam", "allowOpen": True, "issuer": ISSUER, "denyList": True})

    assert told.startswith("allowOpen ")
    assert "issuer" not in told
