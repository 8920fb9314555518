"""The command that opens one connection to `@connections`: probe.

It connects and signs by the functions' own code, so that it meets what they meet. No other module
of the command line imports that: see tests/unit/test_import_law.py.
"""

import os
import selectors
import socket
import ssl
import time
from contextlib import ExitStack
from typing import Annotated

import boto3
import typer
from botocore.httpsession import get_cert_path

from crier import terminal
from crier.commands import probe_words as words
from crier.commands.probe_line import STEP_SECONDS, open_line, place_of, since
from crier.commands.probe_region import checked_region, region_in
from crier.commands.probe_result import Limits, Milliseconds, Probed
from crier.commands.probe_views import PROTOCOLS, show_probed
from crier.deployed.connections_api import NO_CONNECTION
from crier.deployed.deployment import open_session
from crier.errors import CrierError, explained
from crier.options import AsJson, Profile, Region, Stack, find_deployment
from delivery.http.connection import HttpConnection, MalformedAnswerError, Response
from delivery.http.endpoint import Endpoint, parse_endpoint
from delivery.http.handshake import Handshake
from delivery.http.http2_connection import Http2Connection
from delivery.http.http2_frames import Setting
from delivery.http.request import GET, Request
from delivery.http.tls import tls_context
from delivery.signing import Credentials, SigningTemplate

_MOST_TEXT = 300
_ASKED = "the one request"

Url = Annotated[
    str | None,
    typer.Argument(
        metavar="URL",
        help="The callback URL of a stage, such as https://API_ID.execute-api.REGION.amazonaws.com"
        "/prod. Without it: that of --stack, or of the local run.",
    ),
]


def probe(
    url: Url = None,
    *,
    as_json: AsJson = False,
    stack: Stack = None,
    profile: Profile = None,
    region: Region = None,
) -> None:
    """Open one connection to `@connections`, and say what the server offers and answers.

    One signed request asks for a connection that does not exist: no client receives anything.

    Exit codes: 0 answered as expected (410); 1 an error, such as no connection, or another
    answer; 2 wrong use.
    """
    if url is None:
        deployment = find_deployment(stack, profile, region)
        url, session = deployment.callback_url, deployment.session
    elif stack is None:
        session = open_session(profile, region)
        region = region or region_in(url)
    else:
        raise typer.BadParameter("a URL and --stack name two places to probe: leave one out")
    probed = _probe(url, session, region or session.region_name)
    if as_json:
        terminal.show_json(probed.as_json())
    else:
        show_probed(probed)
    if not probed.meaning.is_well:
        raise typer.Exit(1)


def _probe(url: str, session: boto3.Session, region: str | None) -> Probed:
    """Connect, ask, and return what was found. Raises CrierError."""
    try:
        endpoint = parse_endpoint(url)
    except ValueError as error:
        raise typer.BadParameter(f"{error}, as the stack's output CallbackUrl is") from error
    template = SigningTemplate(
        endpoint,
        region=checked_region(region, url),
        credentials=_credentials(session),
        payload=b"",
        at_seconds=time.time(),
        method=GET,
    )
    with ExitStack() as opened:
        context = _tls_context() if endpoint.is_tls else None
        line = open_line(endpoint.host, endpoint.port, context, opened)
        http = _speak(line.sock)
        asked_at = time.perf_counter()
        response = _ask(endpoint, http, template.sign(NO_CONNECTION))
        return Probed(
            url=url,
            address=line.address,
            protocol=http.protocol,
            tls=line.tls,
            limits=_limits(http),
            milliseconds=Milliseconds(*line.took, since(asked_at)),
            status=response.status,
            text=response.body.decode(errors="replace")[:_MOST_TEXT],
        )


def _credentials(session: boto3.Session) -> Credentials:
    with explained("no credentials to sign with"):
        found = session.get_credentials()
        frozen = found.get_frozen_credentials() if found else None
    if frozen is None or not frozen.access_key or not frozen.secret_key:
        raise CrierError(
            "no credentials to sign with: set AWS_PROFILE, or name a profile with --profile"
        )
    return Credentials(frozen.access_key, frozen.secret_key, frozen.token)


def _tls_context() -> ssl.SSLContext:
    """Return TLS as the function offers it: the same protocols, the same authorities."""
    try:
        return tls_context(os.environ.get("AWS_CA_BUNDLE") or get_cert_path(verify=True))
    except OSError as error:
        raise CrierError(str(error)) from error


def _speak(sock: socket.socket) -> HttpConnection[str]:
    """Return the connection in the protocol that the server has chosen."""
    sock.settimeout(0)
    http = Handshake(sock, None).advance()
    assert http is not None, "its handshake is over"
    return http


def _ask(endpoint: Endpoint, http: HttpConnection[str], request: Request) -> Response:
    """Return the answer to one request. Raises CrierError."""
    until = time.monotonic() + STEP_SECONDS
    try:
        http.send([(_ASKED, request)], time.monotonic())
        while not (endings := http.advance()):
            _wait(http, until - time.monotonic())
    except (OSError, MalformedAnswerError) as error:
        endings = http.close(error)
    ((_, result),) = endings
    if isinstance(result, Exception):
        protocol = PROTOCOLS[http.protocol]
        raise CrierError(
            words.not_answered(place_of(endpoint.host, endpoint.port), protocol, result)
        ) from result
    return result


def _wait(http: HttpConnection[str], seconds: float) -> None:
    """Wait until the connection can go on. Raises TimeoutError."""
    with selectors.DefaultSelector() as selector:
        selector.register(http, http.interest)
        if seconds <= 0 or not selector.select(seconds):
            raise TimeoutError(f"no answer within {STEP_SECONDS:g} s")


def _limits(http: HttpConnection[str]) -> Limits | None:
    if not isinstance(http, Http2Connection):
        return None
    told = http.told
    return Limits(
        streams=told.get(Setting.MAX_CONCURRENT_STREAMS),
        window_bytes=told.get(Setting.INITIAL_WINDOW_SIZE),
        frame_bytes=told.get(Setting.MAX_FRAME_SIZE),
        header_table_bytes=told.get(Setting.HEADER_TABLE_SIZE),
    )
