"""Verifying signatures: botocore's and our own reading of SigV4 are accepted, others are not."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from testbed.stand_in.behaviour import Behaviour
from testbed.stand_in.server import StandIn
from tests.support.wire_client import Client, post_bytes

PATH = "/prod/@connections/one%3D"
BEHAVIOUR = Behaviour(
    latency_median_seconds=0.0,
    verify_signatures=True,
    access_key="AKIDEXAMPLE",
    secret_key="right",
    session_token="token",
    region="eu-west-1",
)


def _sign(
    *,
    access_key: str = "AKIDEXAMPLE",
    secret_key: str = BEHAVIOUR.secret_key,
    token: str | None = BEHAVIOUR.session_token,
    service: str = "execute-api",
    region: str = "eu-west-1",
    body: bytes = b"hello",
) -> dict[str, str]:
    request = AWSRequest("POST", f"https://127.0.0.1{PATH}", {"Host": "127.0.0.1"}, body)
    signer = SigV4Auth(Credentials(access_key, secret_key, token), service, region)
    signer.add_auth(request)
    return dict(request.headers.items())


def _answer(headers: dict[str, str], body: bytes = b"hello") -> tuple[int, bytes, int]:
    with StandIn.of(BEHAVIOUR, tls=None) as stand_in, Client(stand_in.url) as client:
        client.send(post_bytes("one=", body, headers))
        status, text, _ = client.answer()
        return status, text, stand_in.report().unsigned


def test_stand_in_accepts_a_right_signature() -> None:
    """What botocore signs is delivered."""
    assert _answer(_sign()) == (200, b"", 0)


@pytest.mark.parametrize("body", [b"", b"{}", "späße".encode(), bytes(131_072)])
def test_stand_in_accepts_a_right_signature_whatever_the_body_is(body: bytes) -> None:
    """The body is part of what is signed."""
    assert _answer(_sign(body=body), body)[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        _sign(secret_key="wrong"),
        _sign(access_key="AKIDOTHER"),
        _sign(token="other"),
        _sign(token=None),
        _sign(service="s3"),
        _sign(region="eu-west-2"),
        _sign(body=b"other"),
        {**_sign(), "Host": "elsewhere.invalid"},
        {**_sign(), "X-Amz-Content-Sha256": "0" * 64},
    ],
)
def test_stand_in_refuses_a_wrong_signature(headers: dict[str, str]) -> None:
    """Every part of the signature counts, and so do the refusals."""
    status, text, unsigned = _answer(headers)

    assert (status, unsigned) == (403, 1)
    assert b"message" in text


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda text: text.replace("x-amz-date;", ""), b"must be signed"),
        (lambda text: text.replace("=host;", "="), b"must be signed"),
        (lambda text: text.replace("host;", "host;x-absent;"), b"not there"),
    ],
)
def test_stand_in_refuses_wrong_signed_headers(change: Callable[[str], str], reason: bytes) -> None:
    """Host, date and token are signed, and what is signed is there."""
    headers = _sign()

    status, text, _ = _answer({**headers, "Authorization": change(headers["Authorization"])})

    assert status == 403
    assert reason in text


@pytest.mark.parametrize(
    ("minutes", "day", "reason"),
    [(-6, None, b"expired"), (6, None, b"expired"), (0, "20200101", b"scope")],
)
def test_stand_in_refuses_a_wrong_date(minutes: int, day: str | None, reason: bytes) -> None:
    """A signature lives five minutes, and its scope names its day."""
    headers = _sign()
    signed_day = headers["X-Amz-Date"][:8]
    date = datetime.now(UTC) + timedelta(minutes=minutes)
    stamp = date.strftime("%Y%m%dT%H%M%SZ")
    scope = day or stamp[:8]

    status, text, _ = _answer(
        {
            **headers,
            "X-Amz-Date": stamp,
            "Authorization": headers["Authorization"].replace(f"/{signed_day}/", f"/{scope}/"),
        }
    )

    assert status == 403
    assert reason in text


def test_stand_in_refuses_a_date_that_is_none() -> None:
    """Fourteen digits are not yet a time."""
    headers = _sign()
    day = headers["X-Amz-Date"][:8]

    status, text, _ = _answer({**headers, "X-Amz-Date": f"{day}T999999Z"})

    assert status == 403
    assert b"ISO-8601" in text


def test_stand_in_refuses_anothers_signature_after_a_right_one() -> None:
    """What was verified for one connection says nothing about the next."""
    with StandIn.of(BEHAVIOUR, tls=None) as stand_in, Client(stand_in.url) as client:
        headers = _sign()
        statuses = []
        for connection_id in ("one=", "two="):
            client.send(post_bytes(connection_id, headers=headers))
            statuses.append(client.answer()[0])
        report = stand_in.report()

    assert statuses == [200, 403]
    assert report.received == {"one=": 1}
