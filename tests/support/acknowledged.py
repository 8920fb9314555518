"""What cdk-nag finds in the stack and we leave as it is: on which construct, and why.

A construct is named by its path below the stack. An acknowledgement holds for this construct and
what is in it. cdk-nag 3 takes `Validations.of(construct).acknowledge`, with the rule's id behind
the name of its pack; the report then lists the finding as suppressed, with the reason.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from aws_cdk import Acknowledgment, Stack, Validations

from stacks.settings import DeploySettings

if TYPE_CHECKING:
    from constructs import IConstruct

PACK: Final = "AwsSolutions"

_RUNTIME = "Python 3.13 runs on Lambda, and is what the layers and the tests are for; 3.14 is newer"
_NO_ACCESS_LOGS = (
    "the setting accessLogs is off by default: a fresh AWS account refuses such a stage until its "
    "API Gateway CloudWatch role is set"
)
_OPEN = "auth is open: the operator has chosen so, in prod with allowOpen, too"
_ONLY_CONNECT = "API Gateway authorizes a WebSocket at $connect only, and takes nothing here"
_ANY_CONNECTION = (
    "a connection's id is not known before it connects; the statement is bound to POST on "
    "@connections of this one stage"
)
_NO_RECOVERY = (
    "a table of connections as it was an hour ago would lack the clients that have connected since"
)
_LEDGER_EXPIRES = (
    "rows expire after 7 days, and a ledger of before would open broadcasts again that are over"
)


class Acknowledged(NamedTuple):
    """One finding that is left as it is."""

    construct: str
    rule: str
    reason: str


def acknowledged(settings: DeploySettings) -> Iterator[Acknowledged]:
    """Yield what is acknowledged for these settings, and nothing that is not found."""
    for function in functions(settings):
        yield Acknowledged(function, "L1", _RUNTIME)
    for route in ("$disconnect", "$default"):
        yield Acknowledged(f"WebSocket/Api/{route}-Route", "APIG4", _ONLY_CONNECT)
    if settings.auth == "open":
        yield Acknowledged("WebSocket/Api/$connect-Route", "APIG4", _OPEN)
    if not settings.access_logs:
        yield Acknowledged("WebSocket/Stage", "APIG1", _NO_ACCESS_LOGS)
    yield Acknowledged("BroadcastRole", f"IAM5[Resource::{_posts(settings)}]", _ANY_CONNECTION)
    yield Acknowledged("Connections/Table", "DDB3", _NO_RECOVERY)
    yield Acknowledged("Ledger/Table", "DDB3", _LEDGER_EXPIRES)


def functions(settings: DeploySettings) -> tuple[str, ...]:
    """Return the functions that a stage has."""
    some = ("Connect", "Disconnect", "ClientFrame", "Broadcast")
    return (*some, "Authorizer") if settings.has_authorizer else some


def acknowledge(stack: Stack, settings: DeploySettings) -> None:
    """Acknowledge in a stack what is acknowledged for its settings."""
    for one in acknowledged(settings):
        construct: IConstruct = stack
        for id_ in one.construct.split("/"):
            construct = construct.node.find_child(id_)
        rule = Acknowledgment(id=f"{PACK}::{PACK}-{one.rule}", reason=one.reason)
        Validations.of(construct).acknowledge(rule)


def found(report: Mapping[str, Any], part: str) -> list[tuple[str, str]]:
    """Return what a part of a report lists: each construct below the stack, and its rule."""
    (plugin,) = report["pluginReports"]
    return [
        (
            construct["constructPath"].split("/", 1)[1],
            violation["ruleName"].removeprefix(f"{PACK}-"),
        )
        for violation in plugin.get(part, ())
        for construct in violation["violatingConstructs"]
    ]


def _posts(settings: DeploySettings) -> str:
    """Return the resource of the one wildcard, as cdk-nag spells it."""
    api = "arn:<AWS::Partition>:execute-api:<AWS::Region>:<AWS::AccountId>:<WebSocketApi273F6915>"
    return f"{api}/{settings.stage}/POST/@connections/*"
