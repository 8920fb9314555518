"""The stand-in over HTTP/2, asked by a client that is not ours: what it answers and counts."""

import socket
import struct
from typing import Any

import h2.events
import pytest
from h2.settings import SettingCodes

from testbed.stand_in.behaviour import Behaviour
from testbed.stand_in.certificate import ServerCertificate
from testbed.stand_in.errors import error_answer
from testbed.stand_in.http2_frames import ErrorCode, Setting
from testbed.stand_in.http2_settings import Http2Limits
from testbed.stand_in.reaction import (
    Announce,
    Answer,
    Garbage,
    GoAway,
    HalfAnswer,
    Post,
    Raw,
    Reaction,
    Reset,
    Silence,
    StreamReset,
    calm,
    refuse,
)
from testbed.stand_in.server import StandIn
from tests.support.http2_client import Http2Client, fields, tls_socket
from tests.support.wire_client import Client, always, first_then_ok, post_bytes

OK = always(Answer(200))


def _by_id(reactions: dict[str, Reaction]) -> Any:
    return lambda post: reactions.get(post.connection_id, Answer(200))


def test_stand_in_answers_many_posts_at_once(certificate: ServerCertificate) -> None:
    """One connection carries them, each with its own answer, and all of it is counted."""
    bodies: list[bytes] = []

    def script(post: Post) -> Answer:
        bodies.append(post.body)
        return Answer(200, post.connection_id.encode(), delay_seconds=0.3)

    with (
        StandIn(script, tls=certificate) as stand_in,
        Http2Client(stand_in.url, certificate.ca_path) as client,
    ):
        streams = {f"c{n}=": client.post(f"c{n}=", b"%d" % n) for n in range(100)}
        statuses = {client.status(stream_id) for stream_id in streams.values()}
        answers = {id_: client.body(stream_id).decode() for id_, stream_id in streams.items()}
        report = stand_in.report()

    assert statuses == {200}
    assert answers == {id_: id_ for id_ in streams}
    assert bodies == [b"%d" % n for n in range(100)]
    assert report.received == dict.fromkeys(streams, 1)
    assert (report.posts_by_protocol, report.connections_by_protocol) == ({"h2": 100}, {"h2": 1})
    assert (report.answers, report.most_streams, report.malformed) == ({200: 100}, 100, 0)


def test_stand_in_answers_as_the_service_does(certificate: ServerCertificate) -> None:
    """The usual fields, in lower case, and a request id of its own for each answer."""
    with (
        StandIn(_by_id({"gone": error_answer(410)}), tls=certificate) as stand_in,
        Http2Client(stand_in.url, certificate.ca_path) as client,
    ):
        delivered, other, gone = client.post("a"), client.post("b"), client.post("gone")
        statuses = [client.status(one) for one in (delivered, other, gone)]

    first, second = client.headers(delivered), client.headers(other)
    assert statuses == [200, 200, 410]
    assert first["content-length"] == "0"
    assert first["x-amzn-requestid"] != second["x-amzn-requestid"]
    assert client.headers(gone)["x-amzn-errortype"] == "GoneException"
    assert client.body(gone) == b'{"message": "Gone"}'


def test_stand_in_announces_the_limits_of_the_service(certificate: ServerCertificate) -> None:
    """128 streams, and windows as they are by default."""
    with (
        StandIn(OK, tls=certificate) as stand_in,
        Http2Client(stand_in.url, certificate.ca_path) as client,
    ):
        client.status(client.post())
        settings = client.protocol.remote_settings
        assert settings.max_concurrent_streams == 128
        assert settings.initial_window_size == 65_535
        assert settings.header_table_size == 4_096


@pytest.mark.parametrize(
    ("spoken", "offered", "chosen"),
    [
        (("h2", "http/1.1"), ("http/1.1", "h2"), "h2"),
        (("http/1.1", "h2"), ("h2", "http/1.1"), "http/1.1"),
        (("http/1.1",), ("h2", "http/1.1"), "http/1.1"),
        (("h2",), ("h2", "http/1.1"), "h2"),
        (("h2", "http/1.1"), (), None),
    ],
)
def test_stand_in_speaks_what_it_prefers_of_what_is_offered(
    certificate: ServerCertificate,
    spoken: tuple[str, ...],
    offered: tuple[str, ...],
    chosen: str | None,
) -> None:
    """ALPN decides; a client that offers nothing speaks HTTP/1.1."""
    with (
        StandIn(OK, tls=certificate, protocols=spoken) as stand_in,
        tls_socket(stand_in.url, certificate.ca_path, *offered) as client,
    ):
        assert client.selected_alpn_protocol() == chosen


def test_stand_in_serves_both_protocols_on_one_port(certificate: ServerCertificate) -> None:
    """The report tells them apart."""
    with (
        StandIn(OK, tls=certificate) as stand_in,
        Client(stand_in.url, certificate.ca_path) as old,
        Http2Client(stand_in.url, certificate.ca_path) as new,
    ):
        statuses = [old.post(), old.post(), new.status(new.post())]
        report = stand_in.report()

    assert statuses == [200] * 3
    assert report.posts_by_protocol == {"http/1.1": 2, "h2": 1}
    assert report.connections_by_protocol == {"http/1.1": 1, "h2": 1}


def test_stand_in_hangs_up_when_it_speaks_http2_only(certificate: ServerCertificate) -> None:
    """A client that offers no HTTP/2 gets no answer."""
    with (
        StandIn(OK, tls=certificate, protocols=("h2",)) as stand_in,
        Client(stand_in.url, certificate.ca_path) as client,
    ):
        remainder = client.remainder()

    assert remainder == b""


@pytest.mark.parametrize("protocols", [(), ("h3",), ("h2", "h2")])
def test_stand_in_refuses_protocols_that_it_cannot_speak(protocols: tuple[str, ...]) -> None:
    """One or both of the two, the preferred one first."""
    with pytest.raises(ValueError, match="expected one or both"):
        StandIn(OK, tls=None, protocols=protocols)


def test_stand_in_takes_the_largest_body_over_http2(certificate: ServerCertificate) -> None:
    """It is more than a stream's window: that is widened while the body comes."""
    body = bytes(number % 251 for number in range(131_072))
    bodies: list[bytes] = []

    def script(post: Post) -> Answer:
        bodies.append(post.body)
        return Answer(200)

    with (
        StandIn(script, tls=certificate) as stand_in,
        Http2Client(stand_in.url, certificate.ca_path) as client,
    ):
        statuses = [client.status(client.post("a", body)), client.status(client.post("b", body))]
        statuses.append(client.status(client.post("c", bytes(131_073))))

    assert statuses == [200, 200, 413]
    assert bodies == [body, body]


@pytest.mark.parametrize("window_bytes", [1, 7, 65_535])
def test_stand_in_sends_a_body_as_the_clients_window_allows(
    certificate: ServerCertificate, window_bytes: int
) -> None:
    """However narrow the window is, all of the body arrives."""
    body = bytes(range(256)) * (1 if window_bytes < 10 else 4_000)

    with (
        StandIn(always(Answer(200, body, chunked=True)), tls=certificate) as stand_in,
        Http2Client(
            stand_in.url,
            certificate.ca_path,
            settings={SettingCodes.INITIAL_WINDOW_SIZE: window_bytes},
        ) as client,
    ):
        streams = [client.post(), client.post()]
        statuses = [client.status(stream_id) for stream_id in streams]

    assert statuses == [200, 200]
    assert [client.body(stream_id) for stream_id in streams] == [body, body]


def test_stand_in_uses_no_table_when_the_client_has_none(certificate: ServerCertificate) -> None:
    """It says so before its next answer, and the client's decoder insists on that."""
    with (
        StandIn(OK, tls=certificate) as stand_in,
        Http2Client(
            stand_in.url, certificate.ca_path, settings={SettingCodes.HEADER_TABLE_SIZE: 0}
        ) as client,
    ):
        statuses = [client.status(client.post()) for _ in range(3)]

    assert statuses == [200] * 3


def test_stand_in_verifies_signatures_over_http2(certificate: ServerCertificate) -> None:
    """Those of posts that it reads the fast way, too."""
    behaviour = Behaviour(
        latency_median_seconds=0.0, verify_signatures=True, access_key="AKIDEXAMPLE", secret_key="x"
    )
    with (
        StandIn.of(behaviour, tls=certificate) as stand_in,
        Http2Client(stand_in.url, certificate.ca_path) as client,
    ):
        statuses = {client.status(client.post()) for _ in range(4)}
        report = stand_in.report()

    assert statuses == {403}
    assert (report.unsigned, report.delivered) == (4, 0)


def test_stand_in_throttles_over_http2(certificate: ServerCertificate) -> None:
    """The bucket is the account's, whatever the protocol."""
    behaviour = Behaviour(latency_median_seconds=0.0, quota_posts_per_second=1, quota_burst=3)
    with (
        StandIn.of(behaviour, tls=certificate) as stand_in,
        Http2Client(stand_in.url, certificate.ca_path) as client,
    ):
        streams = [client.post(f"c{n}") for n in range(5)]
        statuses = sorted(client.status(stream_id) for stream_id in streams)

    assert statuses == [200, 200, 200, 429, 429]


def test_stand_in_answers_400_to_what_is_no_post(certificate: ServerCertificate) -> None:
    """The stream ends, the connection goes on."""
    with (
        StandIn(OK, tls=certificate) as stand_in,
        Http2Client(stand_in.url, certificate.ca_path) as client,
    ):
        got = client.request(fields("a", 0, **{":method": "GET", "content-length": ""}))
        lost = client.request(fields("a", 5, **{":path": "/prod/elsewhere"}), None)
        statuses = [client.status(got), client.status(lost), client.status(client.post())]
        report = stand_in.report()

    assert statuses == [400, 400, 200]
    assert (report.malformed, report.posts) == (2, 1)


@pytest.mark.parametrize("when", ["before", "during", "after"])
def test_stream_reset_ends_one_stream(certificate: ServerCertificate, when: Any) -> None:
    """The others go on; it is delivered unless it is reset before its answer."""
    script = _by_id({"bad": StreamReset(ErrorCode.INTERNAL_ERROR, when)})
    with (
        StandIn(script, tls=certificate) as stand_in,
        Http2Client(stand_in.url, certificate.ca_path) as client,
    ):
        bad, good = client.post("bad"), client.post("good")
        status = client.status(good)
        if when == "after":
            assert client.status(bad) == 200
        else:
            assert client.reset_code(bad) == ErrorCode.INTERNAL_ERROR
        report = stand_in.report()

    assert status == 200
    assert bool(client.found(h2.events.ResponseReceived, bad)) == (when != "before")
    assert ("bad" in report.received) == (when != "before")


def test_refuse_says_that_a_stream_was_not_processed(certificate: ServerCertificate) -> None:
    """It counts as not delivered, and the connection goes on."""
    with (
        StandIn(first_then_ok(refuse()), tls=certificate) as stand_in,
        Http2Client(stand_in.url, certificate.ca_path) as client,
    ):
        code = client.reset_code(client.post())
        status = client.status(client.post())
        report = stand_in.report()

    assert (code, status) == (ErrorCode.REFUSED_STREAM, 200)
    assert report.received == {"one=": 1}


@pytest.mark.parametrize(
    ("last", "expected_last", "answered"),
    [
        ("none", 0, set()),
        ("before", 2, {"a"}),
        ("this", 3, {"a", "leaves"}),
        ("all", 5, {"a", "leaves", "b"}),
    ],
)
def test_go_away_says_which_streams_count(
    certificate: ServerCertificate, last: Any, expected_last: int, answered: set[str]
) -> None:
    """Those are answered, then the connection closes; the others do not count as delivered."""
    slow = Answer(200, delay_seconds=0.3)
    script = _by_id({"a": slow, "b": slow, "leaves": GoAway(last=last, delay_seconds=0.1)})
    with (
        StandIn(script, tls=certificate) as stand_in,
        Http2Client(stand_in.url, certificate.ca_path) as client,
    ):
        streams = {name: client.post(name) for name in ("a", "leaves", "b")}
        last_id, code = client.goaway()
        client.wait_for_end()
        report = stand_in.report()

    assert (last_id, code) == (expected_last, ErrorCode.NO_ERROR)
    assert {name for name, one in streams.items() if one in client.ended()} == answered
    assert report.received == dict.fromkeys(answered, 1)


def test_calm_asks_for_less(certificate: ServerCertificate) -> None:
    """With its code, and the post that met it was not processed."""
    with (
        StandIn(always(calm()), tls=certificate) as stand_in,
        Http2Client(stand_in.url, certificate.ca_path) as client,
    ):
        client.post()
        _, code = client.goaway()
        client.wait_for_end()
        report = stand_in.report()

    assert code == ErrorCode.ENHANCE_YOUR_CALM
    assert report.received == {}


def test_answer_that_closes_says_so_with_goaway(certificate: ServerCertificate) -> None:
    """What was under way beside it is answered before the connection closes."""
    script = _by_id({"last": Answer(200, close=True), "slow": Answer(200, delay_seconds=0.1)})
    with (
        StandIn(script, tls=certificate) as stand_in,
        Http2Client(stand_in.url, certificate.ca_path) as client,
    ):
        streams = [client.post("slow"), client.post("last")]
        client.wait_for_end()

    assert client.ended() == set(streams)
    assert client.goaway() == (streams[-1], ErrorCode.NO_ERROR)


def test_stand_in_goes_away_after_so_many_answers(certificate: ServerCertificate) -> None:
    """A post that comes later on the connection is not processed."""
    with (
        StandIn(OK, tls=certificate, close_after_answers=2) as stand_in,
        Http2Client(stand_in.url, certificate.ca_path) as client,
    ):
        client.status(client.post())
        client.status(client.post())
        goaway = client.goaway()
        report = stand_in.report()

    assert goaway == (3, ErrorCode.NO_ERROR)
    assert report.posts == 2


@pytest.mark.parametrize(("when", "received"), [("before", {}), ("during", {"bad": 1})])
def test_reset_ends_the_connection_of_all_streams(
    certificate: ServerCertificate, when: Any, received: dict[str, int]
) -> None:
    """The posts that waited beside it are lost, and do not count as delivered."""
    script = _by_id({"bad": Reset(when), "waits": Answer(200, delay_seconds=5.0)})
    with (
        StandIn(script, tls=certificate) as stand_in,
        Http2Client(stand_in.url, certificate.ca_path) as client,
    ):
        client.post("waits")
        client.post("bad")
        client.wait_for_end()
        report = stand_in.report()

    assert client.was_reset
    assert report.received == received
    assert report.answers == {}


def test_reset_after_the_answer_loses_no_answer(certificate: ServerCertificate) -> None:
    """It can be read."""
    with (
        StandIn(always(Reset("after")), tls=certificate) as stand_in,
        Http2Client(stand_in.url, certificate.ca_path) as client,
    ):
        status = client.status(client.post())

    assert status == 200


@pytest.mark.parametrize("reaction", [HalfAnswer(), Silence()])
def test_stream_stays_open_when_its_answer_does_not_end(
    certificate: ServerCertificate, reaction: Reaction
) -> None:
    """Others are answered on the same connection; the client may give the stream up."""
    with (
        StandIn(_by_id({"bad": reaction}), tls=certificate) as stand_in,
        Http2Client(stand_in.url, certificate.ca_path) as client,
    ):
        bad = client.post("bad")
        statuses = [client.status(client.post())]
        client.protocol.reset_stream(bad, ErrorCode.CANCEL)
        statuses.append(client.status(client.post()))

    assert statuses == [200, 200]
    assert not client.found(h2.events.StreamEnded, bad)
    if isinstance(reaction, HalfAnswer):
        assert (client.headers(bad)[":status"], client.body(bad)) == ("200", b"{")


def test_raw_bytes_may_be_made_for_a_stream(certificate: ServerCertificate) -> None:
    """They go out among the frames of the connection."""
    raw = Raw(lambda stream_id: bytes.fromhex(f"0000010105{stream_id:08x}88"), status=200)
    with (
        StandIn(always(raw), tls=certificate) as stand_in,
        Http2Client(stand_in.url, certificate.ca_path) as client,
    ):
        statuses = [client.status(client.post()) for _ in range(2)]
        report = stand_in.report()

    assert statuses == [200, 200]
    assert report.answers == {200: 2}


def test_raw_bytes_and_garbage_go_out_as_they_are(certificate: ServerCertificate) -> None:
    """Then the connection closes, if that was asked for."""
    script = _by_id({"garbage": Garbage(data=b"\0\0\0\xee\0\0\0\0\0"), "end": Raw(b"", close=True)})
    with (
        StandIn(script, tls=certificate) as stand_in,
        Http2Client(stand_in.url, certificate.ca_path) as client,
    ):
        client.post("garbage")
        status = client.status(client.post())
        client.post("end")
        client.wait_for_end()
        report = stand_in.report()

    assert status == 200
    assert 0xEE in {kind for kind, *_ in client.frames()}
    assert (report.posts, report.answers, client.was_reset) == (3, {200: 1}, False)


def test_stand_in_keeps_what_a_slow_http2_reader_does_not_take(
    certificate: ServerCertificate,
) -> None:
    """Others are served meanwhile, and in the end all of it arrives."""
    body = bytes(range(256)) * 40_000
    wide: dict[int, int] = {SettingCodes.INITIAL_WINDOW_SIZE: 2**30}
    with (
        StandIn(_by_id({"large": Answer(200, body)}), tls=certificate) as stand_in,
        Http2Client(stand_in.url, certificate.ca_path, settings=wide) as slow,
        Http2Client(stand_in.url, certificate.ca_path) as other,
    ):
        slow.protocol.increment_flow_control_window(2**30)
        large = slow.post("large")
        statuses = [other.status(other.post()) for _ in range(20)]
        statuses += [slow.status(large), slow.status(slow.post())]

    assert statuses == [200] * 22
    assert slow.body(large) == body


@pytest.mark.parametrize("sent", [b"", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0"])
def test_stand_in_serves_on_when_http2_clients_vanish(
    certificate: ServerCertificate, sent: bytes
) -> None:
    """With a reset, before or after they have begun."""
    with StandIn(OK, tls=certificate) as stand_in:
        with tls_socket(stand_in.url, certificate.ca_path, "h2") as client:
            client.sendall(sent)
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        with Http2Client(stand_in.url, certificate.ca_path) as next_client:
            assert next_client.status(next_client.post()) == 200


def test_announce_changes_settings_in_the_middle(certificate: ServerCertificate) -> None:
    """First the settings, then what happens to the post; they may change again later."""
    narrow = Announce(
        ((Setting.MAX_CONCURRENT_STREAMS, 0), (Setting.HEADER_TABLE_SIZE, 0)),
        then=Announce(((Setting.MAX_CONCURRENT_STREAMS, 1),), delay_seconds=0.1),
    )
    with (
        StandIn(first_then_ok(narrow), tls=certificate) as stand_in,
        Http2Client(stand_in.url, certificate.ca_path) as client,
    ):
        statuses = [client.status(client.post())]
        changes = [
            {name: change.new_value for name, change in event.changed_settings.items()}
            for event in client.found(h2.events.RemoteSettingsChanged)
        ]
        statuses.append(client.status(client.post()))
        report = stand_in.report()

    assert statuses == [200, 200]
    streams = [change.get(Setting.MAX_CONCURRENT_STREAMS) for change in changes]
    assert streams == [128, 0, 1]
    assert report.malformed == 0


def test_stand_in_announces_when_it_is_told(certificate: ServerCertificate) -> None:
    """On all connections that are open."""
    with (
        StandIn(OK, tls=certificate, limits=Http2Limits(max_streams=5)) as stand_in,
        Http2Client(stand_in.url, certificate.ca_path) as client,
    ):
        client.status(client.post())
        before = client.protocol.remote_settings.max_concurrent_streams
        stand_in.announce((Setting.MAX_CONCURRENT_STREAMS, 7), (Setting.INITIAL_WINDOW_SIZE, 10))
        client.until(lambda: client.protocol.remote_settings.max_concurrent_streams == 7)
        status = client.status(client.post("one=", bytes(1_000)))

    assert (before, status) == (5, 200)


@pytest.mark.parametrize("reaction", [GoAway(), Announce(())])
def test_stand_in_raises_for_http2s_own_reactions_over_http1(reaction: Reaction) -> None:
    """A script that asks for what cannot be fails its test."""
    stand_in = StandIn(always(reaction), tls=None).__enter__()
    with Client(stand_in.url) as client:
        client.send(post_bytes())
        client.remainder()

    with pytest.raises(TypeError, match="HTTP/2 only"):
        stand_in.__exit__(None, None, None)


def test_stream_reset_is_a_reset_over_http1() -> None:
    """There, a stream is a connection."""
    with StandIn(always(StreamReset()), tls=None) as stand_in, Client(stand_in.url) as client:
        client.send(post_bytes())
        with pytest.raises(ConnectionResetError):
            client.remainder()


@pytest.mark.parametrize(
    "wrong", [{"max_streams": -1}, {"max_frame_bytes": 1}, {"connection_window_bytes": 1}]
)
def test_limits_refuse_what_cannot_be_announced(wrong: dict[str, int]) -> None:
    """A wrong value cannot exist."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Http2Limits(**wrong)
