"""The posts that come on one HTTP/2 connection, each from its header block to its last byte."""

from collections.abc import Sequence

from testbed.stand_in.http2_frame_reader import FrameReader, content_of
from testbed.stand_in.http2_frames import (
    END_HEADERS,
    END_STREAM,
    PADDED,
    USUAL_FRAME_BYTES,
    USUAL_WINDOW_BYTES,
    ErrorCode,
    Http2Error,
    Setting,
    window_update_frame,
)
from testbed.stand_in.http2_head import InvalidFieldsError, read_head
from testbed.stand_in.http2_hpack import Decoder, Field, HpackError
from testbed.stand_in.http2_settings import Announced
from testbed.stand_in.http2_template import Template
from testbed.stand_in.http2_upload import Upload, malformed
from testbed.stand_in.request import Request
from testbed.stand_in.request_head import MAX_BODY_BYTES

_MOST_STEP_BYTES = 1024 * 1024


class Inbox:
    """Takes HEADERS and DATA, returns whole posts; `frames` are window updates to be sent."""

    def __init__(self, announced: Announced, reader: FrameReader, frames: list[bytes]) -> None:
        self._announced = announced
        self._reader = reader
        self._frames = frames
        self._decoder = Decoder()
        self._uploads: dict[int, Upload] = {}
        self._window_bytes = USUAL_WINDOW_BYTES
        self._used_bytes = 0
        self._step_bytes = USUAL_WINDOW_BYTES // 2
        """The connection's window is widened each time that this much of it was used."""
        self.last_id = 0
        """The highest stream that the client has opened."""

    def __len__(self) -> int:
        return len(self._uploads)

    def widen(self, size: int) -> None:
        """Let the client send more on the connection."""
        self._window_bytes += size
        self._step_bytes = min(self._window_bytes // 2, _MOST_STEP_BYTES)
        self._frames.append(window_update_frame(0, size))

    def hold_to_settings(self) -> None:
        """Take note that the client is held to other settings from now on."""
        self._decoder.limit_bytes = self._announced.values[Setting.HEADER_TABLE_SIZE]
        self._reader.forget_templates()

    def open(self, stream_id: int) -> None:
        """Take the id of a new stream. Raises Http2Error."""
        if not stream_id & 1 or stream_id <= self.last_id:
            raise Http2Error(
                ErrorCode.PROTOCOL_ERROR, f"expected an odd stream above {self.last_id}"
            )
        self.last_id = stream_id

    def open_all(self, stream_ids: Sequence[int]) -> None:
        """Take the ids of new streams. Raises Http2Error."""
        for stream_id in stream_ids:
            if stream_id <= self.last_id or not stream_id & 1:
                self.open(stream_id)
            self.last_id = stream_id

    def use(self, size: int) -> None:
        """Take note of bytes on the connection's window, and widen it. Raises Http2Error."""
        self._window_bytes -= size
        self._used_bytes += size
        if self._window_bytes < 0:
            raise Http2Error(ErrorCode.FLOW_CONTROL_ERROR, "found DATA past the window")
        if self._used_bytes >= self._step_bytes:
            self.widen(self._used_bytes)
            self._used_bytes = 0

    def decode(self, block: bytes) -> list[Field]:
        """Return a block's fields. Raises Http2Error."""
        before = self._decoder.changes
        try:
            fields = self._decoder.decode(block)
        except HpackError as error:
            raise Http2Error(ErrorCode.COMPRESSION_ERROR, str(error)) from error
        if self._decoder.changes != before:
            self._reader.forget_templates()
        return fields

    def begin(self, stream_id: int, flags: int, block: bytes) -> Request | None:
        """Take the header block of a new post; return the post if that is all of it.

        Raises Http2Error, MalformedError.
        """
        changes = self._decoder.changes
        fields = self.decode(block)
        is_plain = flags == END_HEADERS and changes == self._decoder.changes
        try:
            head = read_head(fields)
        except InvalidFieldsError as error:
            raise malformed(stream_id, str(error)) from error
        upload = Upload(head, fields, block, changes if is_plain else -1)
        if flags & END_STREAM:
            return upload.finish(stream_id)
        self._uploads[stream_id] = upload
        return None

    def end(self, stream_id: int, block: bytes, flags: int) -> Request | None:
        """Take the trailers of a post; return the post. Raises Http2Error."""
        self.decode(block)
        upload = self._uploads.pop(stream_id, None)
        if upload is None:
            return None
        if not flags & END_STREAM:
            raise malformed(stream_id, "expected trailers to end the stream")
        return upload.finish(stream_id)

    def has(self, stream_id: int) -> bool:
        """Whether the body of this post is still coming."""
        return stream_id in self._uploads

    def forget(self, stream_id: int) -> None:
        """Take note that a stream is over: what comes of it is skipped."""
        self._uploads.pop(stream_id, None)

    def forget_above(self, last_id: int) -> None:
        """Take note that all streams above one are over."""
        self._uploads = {one: post for one, post in self._uploads.items() if one <= last_id}

    def take_data(self, stream_id: int, flags: int, payload: bytes) -> Request | None:
        """Take a part of a body; return the post if it is the last one. Raises Http2Error."""
        if not stream_id or stream_id > self.last_id:
            raise Http2Error(ErrorCode.PROTOCOL_ERROR, "expected DATA of a stream that was opened")
        self.use(len(payload))
        content = content_of(flags & PADDED, payload)
        upload = self._uploads.get(stream_id)
        if upload is None:
            return None
        self._use_stream(stream_id, upload, len(payload), is_last=bool(flags & END_STREAM))
        if len(upload.body) + len(content) > MAX_BODY_BYTES:
            raise Http2Error(
                ErrorCode.ENHANCE_YOUR_CALM,
                f"expected bodies up to {MAX_BODY_BYTES} bytes",
                stream_id=stream_id,
            )
        is_whole = not upload.body and flags == END_STREAM
        upload.body += content
        if not flags & END_STREAM:
            return None
        del self._uploads[stream_id]
        if is_whole:
            self._learn(upload)
        return upload.finish(stream_id)

    def _use_stream(self, stream_id: int, upload: Upload, size: int, *, is_last: bool) -> None:
        upload.credit_bytes -= size
        if self._announced.values[Setting.INITIAL_WINDOW_SIZE] + upload.credit_bytes < 0:
            raise Http2Error(
                ErrorCode.FLOW_CONTROL_ERROR, "found DATA past the window", stream_id=stream_id
            )
        if size and not is_last:
            upload.credit_bytes += size
            self._frames.append(window_update_frame(stream_id, size))

    def _learn(self, upload: Upload) -> None:
        """Make a template of a post that came in one HEADERS and one DATA frame."""
        size = max(len(upload.block), len(upload.body))
        most = min(USUAL_FRAME_BYTES, self._announced.values[Setting.INITIAL_WINDOW_SIZE])
        if upload.changes == self._decoder.changes and size <= most:
            template = Template.of(upload.block, upload.fields, upload.head, len(upload.body))
            if template:
                self._reader.keep(template)
