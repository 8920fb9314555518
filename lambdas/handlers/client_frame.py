"""`$default`: answers what clients ask for, and always answers.

What it logs holds neither a frame nor a user, nor the text of an error that could quote them.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from broadcasting.client_answer import encode_error
from broadcasting.client_parsing import parse_client_frame
from broadcasting.client_refusal import Code, RefusedFrameError, bad_frame
from client_frame_wiring import ClientFrameWiring, client_frame_wiring
from early_building import build_in_lambda
from failures import failure_of
from handlers.client_event import Heard, parse_message
from handlers.events import EventError
from log import logger
from settings import SettingsError
from storage.error_codes import code_of
from storage.errors import StorageError

_BUSY_MS: Final = 1_000
"""After this time, and up to as long again, a client may ask again."""


def handler(event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Return the answer, which API Gateway sends back on the same connection."""
    return respond(event, client_frame_wiring)


def respond(event: Mapping[str, Any], wire: Callable[[], ClientFrameWiring]) -> dict[str, Any]:
    """Answer a client's frame: 400 without a text for what is no client's frame."""
    try:
        heard = parse_message(event, lambda: wire().settings.open_channels)
        wired = wire()
    except EventError as error:
        logger.warning("ignored an event", reason=str(error))
        return {"statusCode": 400}
    except Exception as error:  # noqa: BLE001 - the client is to ask again
        return _answered(_failed(error, None, 1.0))
    return _answered(_text(heard, wired))


def _text(heard: Heard, wired: ClientFrameWiring) -> str:
    ref = None
    try:
        _require_text(heard)
        frame = parse_client_frame(heard.text, most_last=wired.settings.replay_frames)
        ref = frame.ref
        return wired.requests.answer(heard.client, frame)
    except RefusedFrameError as error:
        return _refused(error.of(error.ref or ref), heard)
    except Exception as error:  # noqa: BLE001 - the client is to ask again
        return _failed(error, ref, wired.jitter())


def _require_text(heard: Heard) -> None:
    if heard.is_binary:
        raise bad_frame("found a binary frame, expected text")


def _refused(error: RefusedFrameError, heard: Heard) -> str:
    connection_id = heard.client.connection.id
    logger.info("refused a frame", connection_id=connection_id, code=error.code.value)
    return encode_error(error)


def _failed(error: Exception, ref: str | None, jitter: float) -> str:
    """Answer that the client is to ask again; log what DynamoDB did, or what was not foreseen."""
    if isinstance(error, StorageError):
        code = code_of(error.__cause__ or error)
        logger.warning("could not answer now", extra={**failure_of(error), "code": code})
    else:
        logger.error("could not answer", extra=failure_of(error, SettingsError))
    after_ms = _BUSY_MS + int(jitter * _BUSY_MS)
    message = f"not done now: ask again after {after_ms} ms"
    return encode_error(RefusedFrameError(Code.BUSY, message, ref=ref, after_ms=after_ms))


def _answered(text: str) -> dict[str, Any]:
    return {"statusCode": 200, "body": text}


build_in_lambda(client_frame_wiring)
