"""The authorizer of `$connect`: lets a client in or refuses it, and always answers.

What it logs holds no token, URL, header, event, nor the text of an error that could hold one.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from access.client import Client
from access.key_errors import KeysError
from access.policy import allow, deny
from access.refusal import RefusedError
from authorizer_metrics import publish_failed, publish_let_in, publish_refused
from authorizer_wiring import AuthorizerWiring, authorizer_wiring
from early_building import build_in_lambda
from failures import failure_of
from handlers.authorizer_event import method_arn_of, parse_connect_request
from log import logger
from settings import SettingsError
from storage.errors import StorageError

_HARMLESS = (KeysError, SettingsError, StorageError)
"""Errors whose texts are ours, and name nothing that a client has sent."""


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Answer with a policy that allows or denies this one route. Every fault denies it."""
    return decide(event, authorizer_wiring)


def decide(event: Mapping[str, Any], wire: Callable[[], AuthorizerWiring]) -> dict[str, Any]:
    """Answer an event; what decides is asked for once the event is known to be one."""
    method_arn = method_arn_of(event)
    try:
        request = parse_connect_request(event)
        wired = wire()
        client = wired.admission.admit(request, wired.clock.epoch_ms() // 1000)
        answer = allow(str(method_arn), client)
    except RefusedError as error:
        _report(_refused, error)
        return deny(method_arn)
    except Exception as error:  # noqa: BLE001 - an error must not open the door
        _report(_failed, error)
        return deny(method_arn)
    _report(_let_in, client)
    return answer


def _report(report: Callable[[Any], None], about: object) -> None:
    with suppress(Exception):  # it is decided: what cannot be told changes nothing
        report(about)


def _let_in(client: Client) -> None:
    logger.info("let in", user=client.user)
    publish_let_in()


def _refused(error: RefusedError) -> None:
    logger.warning("refused", reason=str(error.refusal))
    publish_refused(error.refusal)


def _failed(error: Exception) -> None:
    logger.error("could not decide", extra=failure_of(error, *_HARMLESS))
    publish_failed()


build_in_lambda(authorizer_wiring)
