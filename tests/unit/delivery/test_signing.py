"""Our signature is botocore's, byte for byte, whatever is signed."""

import string
from dataclasses import dataclass
from datetime import UTC, datetime
from io import BytesIO
from typing import Any, cast
from urllib.parse import unquote, urlsplit

import boto3
import botocore.auth
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import example, given, settings
from hypothesis import strategies as st
from urllib3 import HTTPResponse

from delivery.fan_out import ForbiddenError
from delivery.http.endpoint import parse_endpoint
from delivery.http.http1_request import text_of
from delivery.http.request import Request
from delivery.signing import (
    SERVICE,
    TEMPLATE_SECONDS,
    Credentials,
    FrameSigner,
    Signer,
    SigningTemplate,
    encode_id,
)
from testbed.model.fakes import FakeTime

URL = "https://abc123.execute-api.eu-central-1.amazonaws.com/prod"
ENDPOINT = parse_endpoint(URL)
ENOUGH = settings(max_examples=200, deadline=None)

_BASE64 = string.ascii_letters + string.digits
_VISIBLE = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1)
REAL_IDS = st.text(_BASE64 + "-_", min_size=11, max_size=16).map(lambda text: f"{text}=")
ANY_IDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)
IDS = st.one_of(REAL_IDS, ANY_IDS, st.sampled_from([".", "..", "a/../b", "%2E", "a b", "ä", "😀"]))
STAGES = st.text(_BASE64 + "-_", min_size=1, max_size=128)
PATHS = st.one_of(
    st.just(""),
    STAGES.map(lambda stage: f"/{stage}"),
    STAGES.map(lambda stage: f"/_aws/execute-api/a1b2~c3/{stage}"),
    STAGES.map(lambda stage: f"/base%20path/{stage}"),
)
HOSTS = st.sampled_from(
    [
        "https://abc123.execute-api.eu-central-1.amazonaws.com",
        "https://push.example.org:443",
        "https://push.example.org:8443",
        "http://127.0.0.1:4566",
        "http://localhost:80",
        "http://[::1]:4566",
    ]
)
REGIONS = st.sampled_from(["eu-central-1", "us-gov-west-1", "cn-north-1", "ap-southeast-5"])
CREDENTIALS = st.builds(
    Credentials,
    access_key=st.text(string.ascii_uppercase + string.digits, min_size=16, max_size=20),
    secret_key=_VISIBLE,
    session_token=st.one_of(st.none(), st.just(""), _VISIBLE),
)
TIMES = st.floats(min_value=0, max_value=4_102_444_800, allow_nan=False)


@dataclass(frozen=True, slots=True)
class Sent:
    """A request's bytes, taken apart."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @classmethod
    def of(cls, request: Request) -> "Sent":
        """Take apart the text of what a template has signed."""
        head, body = text_of(request).split(b"\r\n\r\n", 1)
        line, *fields = head.decode().split("\r\n")
        method, target, version = line.split(" ")
        assert version == "HTTP/1.1"
        return cls(method, target, dict(field.split(": ", 1) for field in fields), body)


def _template(
    *,
    url: str = URL,
    credentials: Credentials | None = None,
    payload: bytes = b"frame",
    at_seconds: float = 0.0,
    region: str = "eu-central-1",
    method: str = "POST",
) -> SigningTemplate:
    return SigningTemplate(
        parse_endpoint(url),
        region=region,
        credentials=credentials or Credentials("AKID", "secret"),
        payload=payload,
        at_seconds=at_seconds,
        method=method,
    )


def _sign_with_botocore(
    url: str,
    body: bytes,
    *,
    region: str,
    credentials: Credentials,
    at_seconds: float,
    method: str = "POST",
) -> dict[str, str]:
    """Return the headers that botocore adds at a time."""
    request = AWSRequest(method=method, url=url, data=body)
    keys = BotocoreCredentials(
        credentials.access_key, credentials.secret_key, credentials.session_token
    )
    now = datetime.fromtimestamp(int(at_seconds), UTC).replace(tzinfo=None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.auth, "get_current_datetime", lambda: now)
        SigV4Auth(keys, SERVICE, region).add_auth(request)
    return {name.lower(): value for name, value in request.headers.items()}


def _signed_at(signer: FrameSigner, time: FakeTime) -> str:
    """Return the date that a post of this moment is signed for, and the day of its scope."""
    headers = Sent.of(signer.template(time.seconds).sign("c=")).headers
    day = headers["authorization"].split("/")[1]
    return f"{headers['x-amz-date']} {day}"


@ENOUGH
@given(
    host=HOSTS,
    path=PATHS,
    connection_id=IDS,
    region=REGIONS,
    credentials=CREDENTIALS,
    payload=st.binary(max_size=300),
    at_seconds=TIMES,
)
@example(
    host="https://abc123.execute-api.eu-central-1.amazonaws.com",
    path="/prod",
    connection_id="L0SM9cOFvHcCIhw=",
    region="eu-central-1",
    credentials=Credentials("ASIAEXAMPLE", "secret", "token/+="),
    payload='{"message":"grüße"}'.encode(),
    at_seconds=1_703_980_799.999,
)
def test_template_signs_as_botocore_does(  # noqa: PLR0917 - hypothesis passes them by name
    host: str,
    path: str,
    connection_id: str,
    region: str,
    credentials: Credentials,
    payload: bytes,
    at_seconds: float,
) -> None:
    """Same URL, same time, same body: the same Authorization, date and token."""
    template = _template(
        url=host + path,
        region=region,
        credentials=credentials,
        payload=payload,
        at_seconds=at_seconds,
    )

    sent = Sent.of(template.sign(connection_id))

    scheme = host.split(":", 1)[0]
    url = f"{scheme}://{sent.headers['host']}{sent.target}"
    expected = _sign_with_botocore(
        url, payload, region=region, credentials=credentials, at_seconds=at_seconds
    )
    assert {name: sent.headers[name] for name in expected} == expected
    assert sent.headers.keys() == expected.keys() | {"host", "content-length"}
    assert sent.headers["content-length"] == str(len(payload))
    assert sent.body == payload
    assert sent.target.startswith(f"{path}/@connections/")
    assert sent.method == "POST"


@ENOUGH
@given(
    method=st.sampled_from(["GET", "DELETE"]),
    host=HOSTS,
    path=PATHS,
    connection_id=IDS,
    credentials=CREDENTIALS,
    at_seconds=TIMES,
)
def test_template_signs_another_method_as_botocore_does(  # noqa: PLR0917 - as above
    method: str,
    host: str,
    path: str,
    connection_id: str,
    credentials: Credentials,
    at_seconds: float,
) -> None:
    """To ask for a connection, or to close it: the method is signed, and there is no body."""
    template = _template(
        url=host + path,
        credentials=credentials,
        payload=b"",
        at_seconds=at_seconds,
        method=method,
    )

    sent = Sent.of(template.sign(connection_id))

    scheme = host.split(":", 1)[0]
    url = f"{scheme}://{sent.headers['host']}{sent.target}"
    expected = _sign_with_botocore(
        url,
        b"",
        region="eu-central-1",
        credentials=credentials,
        at_seconds=at_seconds,
        method=method,
    )
    assert {name: sent.headers[name] for name in expected} == expected
    assert sent.headers.keys() == expected.keys() | {"host"}
    assert (sent.method, sent.body) == (method, b"")


def test_template_signs_each_connection_alike_whichever_came_before() -> None:
    """Nothing of one post appears in the next."""
    template, other = _template(), _template()
    first = text_of(template.sign("a="))

    template.sign("ä/b")

    assert text_of(template.sign("a=")) == first == text_of(other.sign("a="))


def test_template_puts_secrets_nowhere_but_in_the_token_header() -> None:
    """The secret key is not in a post, and a log of the credentials shows neither."""
    credentials = Credentials("AKID", "very-secret", "a-token")

    request = text_of(_template(credentials=credentials).sign("a="))

    assert b"very-secret" not in request
    assert b"x-amz-security-token: a-token\r\n" in request
    assert repr(credentials) == "Credentials(access_key='AKID')"


def test_template_refuses_an_id_that_is_no_text() -> None:
    """A lone surrogate cannot be sent in UTF-8."""
    with pytest.raises(UnicodeEncodeError):
        _template().sign("\ud800")


@ENOUGH
@given(connection_id=IDS)
def test_encode_id_is_one_segment_that_decodes_to_the_id(connection_id: str) -> None:
    """It has no slash and no dot: no server can take it as a step to another path."""
    encoded = encode_id(connection_id)

    assert unquote(encoded, errors="strict") == connection_id
    assert not set(encoded) & set("./?# ")
    assert encoded.isascii()


def _targets_of_boto3(connection_ids: list[str]) -> list[str]:
    """Post to some ids with boto3, and return what it asks the server for."""
    targets: list[str] = []

    def answer(request: Any, **_: object) -> Any:
        targets.append(urlsplit(request.url).path)
        raw: Any = HTTPResponse(BytesIO(), preload_content=False)
        return AWSResponse(request.url, 200, HTTPHeaders(), raw)

    client = boto3.client(
        "apigatewaymanagementapi",
        endpoint_url=URL,
        region_name="eu-central-1",
        aws_access_key_id="AKID",
        aws_secret_access_key="secret",
    )
    client.meta.events.register("before-send.apigatewaymanagementapi", cast("Any", answer))
    for connection_id in connection_ids:
        client.post_to_connection(ConnectionId=connection_id, Data=b"frame")
    client.close()
    return targets


def test_template_asks_for_what_boto3_asks_for() -> None:
    """The ids of the service, and most others, are encoded as boto3 encodes them."""
    usual_ids = ["L0SM9cOFvHcCIhw=", "a-b_c~d==", "a/b+c", "ä 😀", "x" * 128]
    template = _template()

    targets = [Sent.of(template.sign(one)).target for one in usual_ids]

    assert targets == _targets_of_boto3(usual_ids)


@pytest.mark.parametrize(
    ("at", "then"),
    [
        ("2023-11-14T22:13:59", "20231114T221459Z 20231114"),
        ("2023-11-14T23:59:30", "20231115T000030Z 20231115"),
        ("2023-12-31T23:59:59", "20240101T000059Z 20240101"),
        ("2024-02-28T23:59:59", "20240229T000059Z 20240229"),
    ],
)
def test_frame_signer_signs_anew_when_a_minute_is_over(at: str, then: str) -> None:
    """The minute, the day and the year roll over while a broadcast goes on."""
    began_ms = int(datetime.fromisoformat(f"{at}+00:00").timestamp() * 1000)
    time = FakeTime(epoch_ms=began_ms)
    keys = Signer(ENDPOINT, region="r", credentials=lambda: Credentials("A", "s"))
    signer = FrameSigner(keys, b"frame", time.clock)
    first, before = signer.template(0.0), _signed_at(signer, time)

    time.seconds, time.epoch_ms = TEMPLATE_SECONDS - 0.001, began_ms + 59_999
    unchanged = signer.template(time.seconds)
    time.seconds, time.epoch_ms = TEMPLATE_SECONDS, began_ms + 60_000

    assert unchanged is first
    assert before.startswith(at.translate({ord("-"): None, ord(":"): None}))
    assert _signed_at(signer, time) == then


def test_frame_signer_signs_with_rotated_credentials_from_the_next_template_on() -> None:
    """The signer asks for the credentials of the moment."""
    rotated = [Credentials("OLD", "s", "t"), Credentials("NEW", "s2", "t2")]
    time = FakeTime()
    keys = Signer(ENDPOINT, region="r", credentials=lambda: rotated.pop(0))
    signer = FrameSigner(keys, b"frame", time.clock)
    old = text_of(signer.template(0.0).sign("c="))

    new = text_of(signer.template(TEMPLATE_SECONDS).sign("c="))

    assert b"Credential=OLD/" in old
    assert b"x-amz-security-token: t\r\n" in old
    assert b"Credential=NEW/" in new
    assert b"x-amz-security-token: t2\r\n" in new


def test_signer_is_forbidden_to_post_without_credentials() -> None:
    """No credentials: the work stops with the error that says so."""
    signer = Signer(ENDPOINT, region="r", credentials=lambda: None)

    with pytest.raises(ForbiddenError, match="no credentials to sign with"):
        signer.template(b"frame", 0.0)
