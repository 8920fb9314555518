"""What `crier local` invites to: where the local run is, and commands that work as they are."""

import shlex
import shutil
from collections.abc import Mapping
from pathlib import Path

from botocore.auth import SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from rich.panel import Panel
from rich.text import Text

from crier import terminal
from crier.commands.times import now_ms
from crier.deployed.deployment import Deployment
from crier.local import own_issuer
from crier.local.environment import clean_environment
from crier.local.local_aws import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY
from crier.local.page.serving import LocalPage
from crier.paths import PROGRAMS, PYTHON, ROOT


def show_invitation(
    deployment: Deployment,
    *,
    users_path: str,
    secret: str | None = None,
    page: LocalPage | None = None,
) -> None:
    """Say how to connect to a local run, how to broadcast and where rejected broadcasts are.

    `users_path` is the PATH of the shell that the user types in. `secret` is what the local run
    signs tokens with, None when it signs none; `page` is None when it serves none.
    """
    terminal.err.print(Panel("Crier runs on the local AWS. Press Ctrl-C to end it.", expand=False))
    lines = {**_invitation(deployment, _crier(users_path), secret), **_seeing(page)}
    for title, line in lines.items():
        terminal.out.print(Text(title, style="bold"))
        terminal.out.print(line, soft_wrap=True, highlight=False, markup=False)
    terminal.out.print()


def _seeing(page: LocalPage | None) -> Mapping[str, str]:
    """Return where the page is, and where clients connect that offer sub-protocols."""
    if page is None:
        return {}
    return {
        "WebSocket URL for clients that offer sub-protocols": page.web_socket_url,
        "See it in a page": page.url,
    }


def _invitation(deployment: Deployment, crier: str, secret: str | None) -> Mapping[str, str]:
    """Return what to type, under its title: each line works as it is, in the project's folder."""
    sqs = (  # the Region as an option: version 1 of the AWS CLI does not read AWS_REGION
        f"AWS_ACCESS_KEY_ID={ACCESS_KEY_ID} AWS_SECRET_ACCESS_KEY={SECRET_ACCESS_KEY} "
        f".venv-aws-cli/bin/aws --region {REGION} --endpoint-url {deployment.endpoint_url} sqs"
    )
    return {
        "WebSocket URL": deployment.web_socket_url,
        "Queue URL": deployment.broadcast_queue_url,
        "Dead-letter queue URL": deployment.dead_letter_queue_url,
        **_connecting(deployment, crier, secret),
        "Broadcast": f"{crier} send --wait 'Hear ye!'",
        "List the broadcasts": f"{crier} broadcasts",
        "List what was rejected or given up": f"{crier} dead-letters",
        "Broadcast with the AWS CLI (`make aws-cli` installs it)": (
            f"{sqs} send-message --queue-url {deployment.broadcast_queue_url} "
            """--message-body '{"message": "Hear ye!"}'"""
        ),
        "List what was rejected with the AWS CLI": (
            f"{sqs} receive-message --queue-url {deployment.dead_letter_queue_url} "
            "--message-attribute-names All --max-number-of-messages 10"
        ),
    }


def _connecting(deployment: Deployment, crier: str, secret: str | None) -> Mapping[str, str]:
    """Return how to connect, in the mode that was deployed."""
    url = deployment.web_socket_url
    if deployment.auth == "ticket":
        return {
            "Make a ticket, and the line that connects with it": f"{crier} ticket --user alice",
            "Table for tickets of your own": deployment.connections_table_name,
        }
    if deployment.auth == "jwt" and secret is not None:
        token = own_issuer.token_for("alice", secret, now_seconds=now_ms() // 1000)
        own = own_issuer.SETTINGS
        return {
            f"Connect as alice, within {own_issuer.TOKEN_HOURS} hours": local_wscat(
                f"{url}?token={token}"
            ),
            "Sign tokens of your own, with this secret (HS256)": secret,
            "Issuer and audience of tokens of your own": f"{own['issuer']} {own['audience']}",
        }
    if deployment.auth == "jwt":
        return {"Connect, with a token of your issuer for TOKEN": local_wscat(f"{url}?token=TOKEN")}
    if deployment.auth == "iam":
        return {"Connect, with a signed URL": local_wscat(signed_url(url))}
    return {"Connect": local_wscat(url)}


def signed_url(url: str) -> str:
    """Return a WebSocket URL, signed: the local AWS refuses one that is not, and believes any."""
    request = AWSRequest("GET", "http" + url.removeprefix("ws"))
    SigV4QueryAuth(Credentials(ACCESS_KEY_ID, SECRET_ACCESS_KEY), "execute-api", REGION).add_auth(
        request
    )
    return "ws" + str(request.url).removeprefix("http")


def local_wscat(url: str) -> str:
    """Return the line that connects to a URL, in the project's folder."""
    node = shutil.which("node", path=clean_environment()["PATH"]) or "node"
    return f"{_shown(node)} node_modules/.bin/wscat -c {shlex.quote(url)}"


def _crier(users_path: str) -> str:
    """Return how the user's shell finds this very command line."""
    found, ours = shutil.which("crier", path=users_path), PROGRAMS / "crier"
    if found and ours.exists() and ours.samefile(found):
        return "crier"
    return f"{_shown(PYTHON)} -m crier"


def _shown(program: str) -> str:
    """Return a program as a word for the shell, from the project's folder if it is in it."""
    path = Path(program)
    return shlex.quote(str(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path))
