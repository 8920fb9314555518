"""How a client connects, waits, comes back and ends."""

import json
from typing import Any

import pytest

from broadcasting.followed_channel import Message, Recovered
from crier.listening.effects import Changed, Followed, State, TokenReason
from crier.listening.opening import Denied, TokenFailure
from tests.support.listening_scene import Scene, frame, frames, position


def test_client_connects_and_joins() -> None:
    """A token, a socket, a join; then it is connected."""
    scene = Scene("news")
    scene.start()
    socket = scene.open("secret")
    states = list(scene.states)

    scene.answer(connection="a=")

    assert scene.asked == [TokenReason.FIRST]
    assert scene.opened == [(socket, "secret")]
    assert scene.sent == [
        (socket, {"action": "join", "ref": "1", "at": {"*": None, "news": None}}),
    ]
    assert states == [("connecting", "connect")]
    assert scene.states[1:] == [("connected", "joined")]
    assert (scene.client.connection_id, scene.client.state) == ("a=", State.CONNECTED)
    assert scene.client.ids == ["a="]


def test_client_is_idle_before_its_start() -> None:
    """It does nothing, and nothing is due."""
    scene = Scene()

    scene.look()
    scene.jump(1e9)
    scene.client.check(scene.now)
    scene.look()

    assert (scene.client.state, scene.client.connection_id) == (State.IDLE, None)
    assert (scene.states, scene.asked, scene.client.wakes_at) == ([], [], None)


def test_start_does_nothing_while_the_client_is_up() -> None:
    """Not while it connects, is connected or waits."""
    scene = Scene()
    scene.start()
    scene.start()
    scene.open()
    scene.answer()
    scene.start()
    scene.end()

    scene.start()

    assert [state for state, _ in scene.states] == ["connecting", "connected", "waiting"]


def test_client_comes_back_after_a_cut() -> None:
    """After up to two seconds when the connection has served, with its positions and its name."""
    scene = Scene("news")
    scene.connect(news=position(4), connection="a=")
    scene.text(frame(5, "news"))
    scene.advance(10_000)

    scene.end()
    state, wakes_at = scene.states[-1], scene.client.wakes_at
    scene.advance(1_000)
    scene.open()

    assert (state, scene.waits) == (("waiting", "cut"), [1_000])
    assert wakes_at == 11_000
    assert scene.states[2:] == [("waiting", "cut"), ("connecting", "retry")]
    assert scene.asked == ["first", "reconnect"]
    assert scene.last["at"] == {"*": {"seq": 0, "epoch": "e"}, "news": {"seq": 5, "epoch": "e"}}
    assert scene.last["was"] == ["a="]


def test_client_that_waits_does_not_try_before_its_time() -> None:
    """Also when it is asked what is due."""
    scene = Scene()
    scene.connect()
    scene.end()

    scene.jump(1_999)
    early = list(scene.asked)
    scene.jump(1)

    assert (early, scene.asked) == (["first"], ["first", "reconnect"])


def test_client_says_what_it_was_given_when_it_is_back() -> None:
    """For each channel, also if it was nothing."""
    scene = Scene("news")
    scene.connect(news=position(4))
    scene.end()
    scene.advance(4_000)
    scene.open()

    scene.answer(news=position(6, start=4, frames=frames([5, 6], "news")))

    assert scene.taken() == [
        ("*", "recovered", 0),
        ("news", 5, "replayed"),
        ("news", 6, "replayed"),
        ("news", "recovered", 2),
    ]


def test_client_names_its_last_three_connections() -> None:
    """The one that asks is not among them."""
    scene = Scene()
    scene.connect(connection="a=")
    for name in "bcdef":
        scene.end()
        scene.retry()
        scene.open()
        scene.answer(connection=f"{name}=")
    scene.advance(480_000)
    scene.text({"type": "pong", "ref": scene.last["ref"], "at": {"*": 5}})

    scene.advance(4_000)

    assert [one[1].get("was") for one in scene.sent if one[1]["action"] == "join"] == [
        None,
        ["a="],
        ["a=", "b="],
        ["a=", "b=", "c="],
        ["b=", "c=", "d="],
        ["c=", "d=", "e="],
    ]
    assert (scene.last["action"], scene.last["was"]) == ("replay", ["c=", "d=", "e="])


def test_connection_without_an_id_is_not_remembered() -> None:
    """A server that gives none would refuse an empty one."""
    scene = Scene()
    scene.start()
    scene.open()
    scene.text({"type": "joined", "ref": "1", "channels": {"*": position()}})

    scene.end()
    scene.advance(4_000)
    scene.open()

    assert "was" not in scene.last
    assert scene.client.ids == []


def test_waits_grow_with_each_failure() -> None:
    """Up to a minute; a token is asked for as often."""
    scene = Scene()
    scene.start()
    for _ in range(7):
        scene.give()
        scene.end()
        scene.advance(scene.waits[-1])

    assert scene.waits == [2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000]
    assert scene.asked == ["first", *["refused"] * 7]


def test_waits_go_on_growing_when_connections_serve_for_a_moment_only() -> None:
    """A connection that is cut before ten seconds is a failure."""
    scene = Scene()
    scene.connect()
    scene.advance(9_999)
    scene.end()
    scene.advance(2_000)
    scene.open()
    scene.answer()

    scene.end()

    assert scene.waits == [2_000, 4_000]


def test_waits_begin_anew_after_a_connection_that_has_served() -> None:
    """Ten seconds are enough."""
    scene = Scene()
    scene.start()
    for _ in range(3):
        scene.give()
        scene.end()
        scene.advance(scene.waits[-1])
    scene.open()
    scene.answer()
    scene.advance(10_000)

    scene.end()

    assert scene.waits[-2:] == [8_000, 1_000]


def test_start_after_the_end_forgets_failures() -> None:
    """Waits, denials and the reason of the token are those of a first connect."""
    scene = Scene(most_denials=2)
    scene.start()
    scene.give()
    scene.end(status=403)
    scene.client.close()
    scene.look()

    scene.start()
    scene.give()
    scene.end(status=403)

    assert scene.asked == ["first", "first"]
    assert scene.states[-1] == ("waiting", "refused")
    assert scene.waits == [2_000, 2_000]


def test_third_failure_in_a_row_is_told() -> None:
    """And each one after it, until a connection is joined."""
    scene = Scene()
    scene.start()
    codes = []
    for how in ({"status": 429}, {"status": 500}, {"why": "no route"}, {"status": 503}):
        scene.give()
        scene.end(**how)
        codes.append(list(scene.codes))
        scene.retry()
    scene.open()
    scene.answer()
    scene.end()
    scene.retry()
    scene.give()

    scene.end()

    assert codes == [[], [], ["refused"], ["refused"] * 2]
    assert [one.message for one in scene.troubles] == [
        "3 tries in a row have failed, the last one: no route",
        "4 tries in a row have failed, the last one: the server answered 503",
    ]
    assert {one.retry for one in scene.troubles} == {True}


def test_socket_that_ends_before_it_is_joined_is_a_failure() -> None:
    """It was open, so that another token would not help; the third one is told."""
    scene = Scene()
    scene.start()
    for _ in range(3):
        scene.open()
        scene.end()
        scene.retry()

    assert scene.asked == ["first", "reconnect", "reconnect", "reconnect"]
    assert [one.message for one in scene.troubles] == [
        "3 tries in a row have failed, the last one: cut"
    ]
    assert scene.states.count(("waiting", "cut")) == 3


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("most", [1, 2])
def test_denials_in_a_row_end_the_client(status: int, most: int) -> None:
    """As many as its tokens allow."""
    scene = Scene(most_denials=most)
    scene.start()
    for _ in range(most):
        scene.give("t")
        scene.end(status=status)
        scene.retry()

    assert scene.states[-1] == ("closed", "unauthorized")
    assert [(one.code, one.message, one.retry) for one in scene.troubles] == [
        ("unauthorized", f"the server answered {status}", False)
    ]
    assert scene.client.wakes_at is None


def test_denials_count_only_when_they_follow_each_other() -> None:
    """Another failure between them, or a connection, begins the count anew."""
    scene = Scene(most_denials=2)
    scene.start()
    for status in (403, 500, 403):
        scene.give("t")
        scene.end(status=status)
        scene.retry()
    scene.open()
    scene.answer()
    scene.end()
    scene.retry()
    scene.give("t")

    scene.end(status=403)

    assert scene.states[-1] == ("waiting", "refused")


def test_client_may_be_denied_for_ever() -> None:
    """Where no number is given, as in a page, it goes on."""
    scene = Scene()
    scene.start()
    for _ in range(20):
        scene.give("t")
        scene.end(status=403)
        scene.retry()

    assert scene.client.state == State.CONNECTING


def test_token_that_fails_is_told_and_asked_for_again() -> None:
    """Each time, with the reason of before; it is no refusal."""
    scene = Scene()
    scene.start()
    for _ in range(4):
        scene.give(TokenFailure("no answer"))
        scene.retry()

    assert scene.asked == ["first"] * 5
    assert [(one.code, one.message, one.retry) for one in scene.troubles] == [
        ("token", "no answer", True)
    ] * 4
    assert scene.waits == [2_000, 4_000, 8_000, 16_000]
    assert scene.opened == []


def test_token_that_is_denied_ends_the_client() -> None:
    """It is told, and no socket was opened."""
    scene = Scene()
    scene.start()

    scene.give(Denied("the user has gone"))

    assert scene.states[-1] == ("closed", "unauthorized")
    assert [(one.code, one.message, one.retry) for one in scene.troubles] == [
        ("unauthorized", "the user has gone", False)
    ]
    assert (scene.opened, scene.client.wakes_at) == ([], None)


def test_token_that_does_not_come_is_given_up() -> None:
    """After thirty seconds; a late one is passed over."""
    scene = Scene()
    scene.start()
    scene.advance(29_999)
    before = list(scene.codes)

    scene.advance(1)
    scene.give("late")

    assert before == []
    assert [(one.code, one.message, one.retry) for one in scene.troubles] == [
        ("token", "no token came in 30 s", True)
    ]
    assert scene.states[-1] == ("waiting", "token")
    assert scene.opened == []


def test_late_token_of_an_earlier_try_is_passed_over() -> None:
    """And a second one for the same question."""
    scene = Scene()
    scene.start()
    scene.advance(32_000)

    scene.client.token(1, "late", scene.now)
    scene.client.token(2, "right", scene.now)
    scene.client.token(2, "twice", scene.now)
    scene.look()

    assert [token for _, token in scene.opened] == ["right"]


@pytest.mark.parametrize("is_open", [False, True])
def test_opening_that_takes_too_long_is_dropped(*, is_open: bool) -> None:
    """The handshake or the join: thirty seconds after the token was asked for."""
    scene = Scene()
    scene.start()
    scene.advance(5_000)
    socket = scene.open() if is_open else scene.give()
    scene.advance(24_999)
    before = list(scene.closed)

    scene.advance(1)

    assert (before, scene.closed) == ([], [socket])
    assert scene.states[-1] == ("waiting", "timeout")


def test_join_that_is_refused_as_such_is_given_up() -> None:
    """It is told; then the client tries again, later each time."""
    scene = Scene()
    scene.start()
    socket = scene.open()

    scene.refuse("bad-frame")

    assert [(one.code, one.message, one.retry) for one in scene.troubles] == [
        ("bad-frame", "no join", False)
    ]
    assert (scene.closed, scene.states[-1]) == ([socket], ("waiting", "refused"))
    assert scene.waits == [2_000]


@pytest.mark.parametrize("is_joined", [False, True])
def test_connection_that_the_server_does_not_know_is_left(*, is_joined: bool) -> None:
    """Another one is opened, with another token."""
    scene = Scene()
    scene.start()
    socket = scene.open()
    if is_joined:
        scene.answer()

    scene.text({"type": "error", "ref": "1", "code": "gone", "message": "no row", "retry": True})
    scene.advance(4_000)

    assert scene.closed == [socket]
    assert ("waiting", "gone") in scene.states
    assert scene.asked == ["first", "refused"]


def test_client_says_that_it_is_connected_before_it_tells_what_it_missed() -> None:
    """Replayed frames before that would look as if they had come on no connection."""
    scene = Scene()
    scene.connect(everyone=position(1))
    scene.end()
    scene.retry()
    socket = scene.open()
    missed = position(2, start=1, frames=[frame(2)])
    joined = {"type": "joined", "ref": scene.last["ref"], "channels": {"*": missed}}

    scene.client.text(socket, json.dumps(joined), scene.now)

    assert scene.client.effects() == [
        Changed(State.CONNECTING, State.CONNECTED, "joined"),
        Followed("*", Message(frame(2), is_replayed=True)),
        Followed("*", Recovered(1)),
    ]


def test_bye_for_good_ends_the_client() -> None:
    """Its code is the reason; the socket is closed at once."""
    scene = Scene()
    socket = scene.connect()

    scene.text({"type": "bye", "code": "kicked", "reconnect": False, "afterMs": 0})
    scene.advance(1e9)

    assert scene.states[-1] == ("closed", "kicked")
    assert (scene.closed, scene.asked) == ([socket], ["first"])


def test_bye_without_a_word_is_as_any_other_end() -> None:
    """It does not say that the client has to stay away."""
    scene = Scene()
    scene.connect()

    scene.text({"type": "bye"})

    assert scene.states[-1] == ("waiting", "bye")


def test_bye_says_when_to_come_back() -> None:
    """At a random moment of that time, with positions and a token for a reconnect."""
    scene = Scene("news")
    socket = scene.connect(news=position(4))

    scene.text({"type": "bye", "code": "moved", "reconnect": True, "afterMs": 60_000})
    scene.advance(30_000)
    scene.open()
    scene.answer(news=position(5, start=4, frames=[frame(5, "news")]))

    assert (scene.closed, scene.waits) == ([socket], [30_000])
    assert ("waiting", "moved") in scene.states
    assert scene.asked == ["first", "reconnect"]
    assert scene.taken()[1:] == [("news", 5, "replayed"), ("news", "recovered", 1)]


def test_bye_without_a_time_is_a_cut() -> None:
    """A server that sends everyone away at once is asked less often each time."""
    scene = Scene()
    scene.connect()
    bye = {"type": "bye", "code": "moved", "reconnect": True}
    for _ in range(2):
        scene.text(bye)
        scene.retry()
        scene.open()
        scene.answer()
    scene.advance(10_000)

    scene.text(bye)

    assert scene.waits == [2_000, 4_000, 1_000]


@pytest.mark.parametrize("is_joined", [True, False])
def test_bye_that_comes_at_once_each_time_is_waited_for_longer(*, is_joined: bool) -> None:
    """However soon it says to come back; a longer time that it says is kept."""
    scene = Scene()
    scene.start()
    for after_ms in (10, 10, 10, 60_000, 10):
        scene.open()
        if is_joined:
            scene.answer()
        scene.text({"type": "bye", "code": "moved", "reconnect": True, "afterMs": after_ms})
        scene.retry()

    assert scene.waits == [5, 4_000, 8_000, 30_000, 30_000]


def test_bye_before_the_join_is_answered_counts_as_a_failure() -> None:
    """The socket is closed."""
    scene = Scene()
    scene.start()
    socket = scene.open()

    scene.text({"type": "bye", "code": "shutdown", "reconnect": True})

    assert (scene.closed, scene.waits) == ([socket], [2_000])
    assert scene.states[-1] == ("waiting", "shutdown")


def test_close_ends_all() -> None:
    """The state is told once; late events of the socket are not heard."""
    scene = Scene()
    socket = scene.connect()

    scene.client.close()
    scene.client.close()
    scene.look()
    scene.text(frame(1), socket)
    scene.client.opened(socket, scene.now)
    scene.end(socket)
    scene.jump(1e9)

    assert scene.closed == [socket]
    assert scene.states[2:] == [("closed", "close")]
    assert scene.taken() == []
    assert scene.client.wakes_at is None


@pytest.mark.parametrize("moment", ["token", "handshake", "join", "waiting"])
def test_close_ends_a_client_that_is_on_its_way(moment: str) -> None:
    """In each of its waits; nothing is done later."""
    scene = Scene()
    scene.start()
    socket = 0
    if moment != "token":
        socket = scene.give() if moment == "handshake" else scene.open()
    if moment == "waiting":
        scene.end()

    scene.client.close()
    scene.look()
    late = scene.give("late") if moment == "token" else 0
    scene.jump(1e9)

    assert late == 0
    assert scene.states[-1] == ("closed", "close")
    assert scene.closed == ([] if moment == "token" else [socket])
    assert (scene.asked, scene.client.wakes_at) == (["first"], None)


def test_client_that_was_closed_connects_again_with_its_positions() -> None:
    """It is given what it missed meanwhile."""
    scene = Scene()
    scene.connect(everyone=position(3))
    scene.client.close()
    scene.look()

    scene.start()
    scene.open()
    scene.answer(everyone=position(4, start=3, frames=frames([4])))

    assert scene.last["at"] == {"*": {"seq": 3, "epoch": "e"}}
    assert scene.taken() == [("*", 4, "replayed"), ("*", "recovered", 1)]


def test_texts_of_an_old_socket_are_not_heard() -> None:
    """Nor its end."""
    scene = Scene()
    old = scene.connect()
    scene.end(old)
    scene.advance(4_000)
    scene.open()
    scene.answer()

    scene.text(frame(1), old)
    scene.text("no JSON", old)
    scene.end(old)

    assert (scene.taken(), scene.codes) == ([("*", "recovered", 0)], [])
    assert scene.client.state == State.CONNECTED


def test_handshake_that_is_told_twice_joins_once() -> None:
    """And one of a socket that is not known joins never."""
    scene = Scene()
    scene.start()
    socket = scene.open()

    scene.client.opened(socket, scene.now)
    scene.client.opened(socket + 1, scene.now)
    scene.look()

    assert scene.actions == ["join"]


def test_look_at_a_client_that_waits_connects_at_once() -> None:
    """The network is back, or the machine awake."""
    scene = Scene()
    scene.connect()
    scene.end()

    scene.client.check(scene.now)
    scene.look()
    scene.open()
    scene.answer()
    scene.advance(10_000)

    assert scene.states[2:] == [
        ("waiting", "cut"),
        ("connecting", "online"),
        ("connected", "joined"),
    ]
    assert scene.asked == ["first", "reconnect"]


def test_look_at_a_client_that_connects_does_nothing() -> None:
    """It is on its way."""
    scene = Scene()
    scene.start()

    scene.client.check(scene.now)
    scene.look()

    assert scene.asked == ["first"]


def test_connection_that_says_nothing_is_dropped() -> None:
    """Five seconds after it was asked for a sign of life."""
    scene = Scene()
    socket = scene.connect()
    scene.advance(20_000)

    scene.client.check(scene.now)
    scene.look()
    scene.advance(4_999)
    before = list(scene.closed)
    scene.advance(1)

    assert scene.actions == ["join", "ping"]
    assert (before, scene.closed) == ([], [socket])
    assert scene.states[-1] == ("waiting", "silent")


@pytest.mark.parametrize("text", [frame(1), "no JSON", {"message": "Internal server error"}])
def test_any_text_is_a_sign_of_life(text: Any) -> None:
    """The connection is not dropped."""
    scene = Scene()
    scene.connect()
    scene.client.check(scene.now)
    scene.look()

    scene.text(text)
    scene.advance(9_000)

    assert scene.closed == []


def test_second_look_gives_no_more_time() -> None:
    """The first question counts, and is asked once."""
    scene = Scene()
    scene.connect()
    scene.client.check(scene.now)
    scene.advance(3_000)

    scene.client.check(scene.now)
    scene.look()
    scene.advance(2_000)

    assert scene.actions == ["join", "ping"]
    assert scene.states[-1] == ("waiting", "silent")


def test_machine_that_slept_meanwhile_asks_once_more() -> None:
    """The answer may have waited with it; after five seconds more the connection is dropped."""
    scene = Scene()
    socket = scene.connect()
    scene.client.check(scene.now)
    scene.look()

    scene.jump(10_001)
    closed = list(scene.closed)
    scene.advance(5_000)

    assert closed == []
    assert [one for one in scene.actions if one == "ping"][:2] == ["ping", "ping"]
    assert scene.closed == [socket]
    assert scene.states[-1] == ("waiting", "silent")


def test_machine_that_is_a_little_late_drops_the_connection() -> None:
    """Up to five seconds are no sleep."""
    scene = Scene()
    socket = scene.connect()
    scene.client.check(scene.now)
    scene.look()

    scene.jump(10_000)

    assert scene.closed == [socket]
