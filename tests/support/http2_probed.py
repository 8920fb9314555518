"""The server's end of one HTTP/2 connection, by an implementation that is not ours."""

import socket
from collections.abc import Callable, Mapping

from h2.config import H2Configuration
from h2.connection import ConnectionState, H2Connection
from h2.errors import ErrorCodes
from h2.events import RequestReceived
from h2.settings import SettingCodes
from hyperframe.frame import SettingsFrame

Status = Callable[[Mapping[str, str]], int]
"""Which status a request is answered, by its header fields; 0 asks the client for calm."""


def serve_http2(
    sock: socket.socket,
    status_of: Status,
    *,
    told: Mapping[SettingCodes, int] | None = None,
    body: bytes = b"",
) -> None:
    """Answer every request on an open socket until the client leaves, or is asked for calm.

    `told` are the settings that the client is told, those of a usual server unless given. A
    request is answered before its body has come.
    """
    http = H2Connection(H2Configuration(client_side=False))
    http.initiate_connection()
    if told is not None:
        http.clear_outbound_data_buffer()
        sock.sendall(
            SettingsFrame(0, settings={int(code): told[code] for code in told}).serialize()
        )
    while data := _exchange(sock, http):
        for event in http.receive_data(data):
            if isinstance(event, RequestReceived):
                head = {name.decode(): value.decode() for name, value in event.headers}
                _answer(http, event.stream_id, status_of(head), body)


def _exchange(sock: socket.socket, http: H2Connection) -> bytes:
    """Send what there is; return what comes, nothing when the connection has ended."""
    sock.sendall(http.data_to_send())
    is_over = http.state_machine.state is ConnectionState.CLOSED
    return b"" if is_over else sock.recv(65_536)


def _answer(http: H2Connection, stream_id: int, status: int, body: bytes) -> None:
    if not status:
        http.close_connection(ErrorCodes.ENHANCE_YOUR_CALM, last_stream_id=0)
        return
    http.send_headers(stream_id, [(":status", str(status))])
    http.send_data(stream_id, body, end_stream=True)
