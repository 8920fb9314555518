"""Which channels a client has the server put it on: one request at a time, and refusals."""

import pytest

from tests.support.listening_scene import Scene, frame, position


def _names(scene: Scene, index: int = -1) -> list[str]:
    """Return which channels a request names."""
    request = scene.sent[index][1]
    return list(request["at"] if "at" in request else request["channels"])


def _subscribe(scene: Scene, *names: str, **options: object) -> None:
    for name in names:
        scene.client.subscribe(name, scene.now, **options)  # type: ignore[arg-type]
    scene.look()


def _unsubscribe(scene: Scene, *names: str) -> None:
    for name in names:
        scene.client.unsubscribe(name, scene.now)
    scene.look()


def test_everyone_is_always_followed() -> None:
    """Without being named, and it cannot be left."""
    scene = Scene()
    scene.connect()

    _unsubscribe(scene, "*")
    _subscribe(scene, "*")

    assert scene.actions == ["join"]
    assert list(scene.last["at"]) == ["*"]


def test_client_begins_where_it_is_told() -> None:
    """At a kept position, with the last ones, after a number whose epoch it does not know, now."""
    kept = {"seq": 7, "epoch": "k"}
    scene = Scene("new", first={"kept": kept, "last": {"last": 3}, "after": {"seq": 7}})
    scene.start()

    scene.open()

    assert scene.last["at"] == {
        "*": None,
        "new": None,
        "kept": kept,
        "last": {"last": 3},
        "after": None,
    }


def test_join_names_25_channels_and_the_others_follow() -> None:
    """One request after another; each is told where it is."""
    scene = Scene(*(f"c{number}" for number in range(50)))
    scene.connect()
    after_join = list(scene.actions)
    scene.answer()
    after_first = list(scene.actions)

    scene.answer()

    assert [len(_names(scene, index)) for index in (0, 1, 2)] == [25, 25, 1]
    assert _names(scene, 0)[0] == "*"
    assert (after_join, after_first) == (["join", "subscribe"], ["join", "subscribe", "subscribe"])
    assert scene.actions == after_first


def test_channel_is_subscribed_to_and_left() -> None:
    """As soon as it is asked for; its frames are told in between only."""
    scene = Scene()
    scene.connect()
    scene.text(frame(1, "news"))

    _subscribe(scene, "news", first={"last": 1})
    asked = scene.last
    scene.answer(news=position(1, start=0, frames=[frame(1, "news")]))
    scene.text(frame(2, "news"))
    _unsubscribe(scene, "news")
    scene.text(frame(3, "news"))

    assert asked == {"action": "subscribe", "ref": "2", "at": {"news": {"last": 1}}}
    assert scene.last == {"action": "unsubscribe", "ref": "3", "channels": ["news"]}
    assert scene.taken() == [("news", 1, "replayed"), ("news", 2)]


def test_channel_that_is_followed_is_not_subscribed_to_again() -> None:
    """Nor is one left that is not followed."""
    scene = Scene("news")
    scene.connect()

    _subscribe(scene, "news")
    _unsubscribe(scene, "chat")

    assert scene.actions == ["join"]


def test_channels_of_a_client_that_is_away_are_asked_for_in_its_join() -> None:
    """It may subscribe before it connects, and while it connects."""
    scene = Scene()
    _subscribe(scene, "a", "b")
    _unsubscribe(scene, "b")
    scene.start()
    scene.open()
    _subscribe(scene, "c")
    joined = _names(scene)

    scene.answer()

    assert joined == ["*", "a"]
    assert (scene.last["action"], _names(scene)) == ("subscribe", ["c"])


def test_channel_is_not_asked_for_before_the_join() -> None:
    """Which names it, when the handshake is over."""
    scene = Scene()
    scene.start()
    socket = scene.give()
    _subscribe(scene, "a")
    before = list(scene.sent)

    scene.client.opened(socket, scene.now)
    scene.look()

    assert before == []
    assert (scene.actions, _names(scene)) == (["join"], ["*", "a"])


def test_one_change_is_under_way_at_a_time() -> None:
    """What is wanted then is compared with what is done."""
    scene = Scene()
    scene.connect()
    _subscribe(scene, "a", "b")
    _unsubscribe(scene, "a")
    _subscribe(scene, "c")
    before = scene.sent[1:]

    scene.answer()
    after_first = scene.last
    scene.answer()
    after_second = scene.last
    scene.answer()

    assert [_names(scene, 1), len(before)] == [["a"], 1]
    assert after_first["channels"] == ["a"]
    assert list(after_second["at"]) == ["b", "c"]
    assert len(scene.sent) == 4


def test_channels_are_left_before_others_are_subscribed_to() -> None:
    """A connection that is on as many as it may be has room for others only then."""
    scene = Scene("a", "b")
    scene.connect()
    _subscribe(scene, "busy")

    _subscribe(scene, "c", "d")
    _unsubscribe(scene, "a", "b")
    scene.answer()
    scene.answer()

    assert scene.actions == ["join", "subscribe", "unsubscribe", "subscribe"]
    assert [_names(scene, index) for index in (2, 3)] == [["a", "b"], ["c", "d"]]


def test_channel_that_is_left_and_followed_again_is_answered_anew() -> None:
    """An answer to the first subscription says nothing of the second one."""
    scene = Scene()
    scene.connect()
    _subscribe(scene, "a")
    _unsubscribe(scene, "a")
    _subscribe(scene, "a", first={"last": 1})
    scene.answer(a=position(5, start=4, frames=[frame(5, "a")]))
    told = scene.taken()

    scene.answer(a=position(6, start=5, frames=[frame(6, "a")]))

    assert scene.actions == ["join", "subscribe", "subscribe"]
    assert scene.last["at"] == {"a": {"last": 1}}
    assert (told, scene.taken()) == ([], [("a", 6, "replayed")])


def test_channel_that_is_followed_again_while_it_is_left_is_subscribed_to() -> None:
    """Once the server has taken it off."""
    scene = Scene("a")
    scene.connect()
    _unsubscribe(scene, "a")
    _subscribe(scene, "a")

    scene.answer()

    assert scene.actions == ["join", "unsubscribe", "subscribe"]


def test_more_channels_than_a_request_takes_are_left_in_several() -> None:
    """None is forgotten, also not one that is left meanwhile."""
    names = [f"c{number}" for number in range(40)]
    scene = Scene(*names)
    scene.connect()
    scene.answer()
    _unsubscribe(scene, *names[:30])
    _unsubscribe(scene, names[30])

    scene.answer()
    scene.answer()

    left = [request["channels"] for _, request in scene.sent if request["action"] == "unsubscribe"]
    assert [len(one) for one in left] == [1, 25, 5]
    assert sorted(name for one in left for name in one) == sorted(names[:31])


def test_own_channel_is_never_left_at_the_server() -> None:
    """It cannot be; it is asked about when it is followed."""
    scene = Scene("@")
    scene.connect()

    _unsubscribe(scene, "@")
    before = list(scene.actions)
    _subscribe(scene, "@")

    assert before == ["join"]
    assert (scene.last["action"], _names(scene)) == ("subscribe", ["@"])


def test_channel_that_is_refused_is_found_by_asking_for_each() -> None:
    """It is told with its name, and followed no more; the others are."""
    scene = Scene("a", "bad", "c")
    scene.start()
    scene.open()

    scene.refuse("not-allowed")
    scene.answer()
    scene.answer()
    scene.refuse("not-allowed")
    scene.answer()
    scene.text(frame(1, "bad"))
    scene.text(frame(1, "c"))

    assert [_names(scene, index) for index in range(5)] == [
        ["*", "a", "bad", "c"],
        ["*"],
        ["a"],
        ["bad"],
        ["c"],
    ]
    assert [(one.code, one.message, one.retry) for one in scene.troubles] == [
        ("not-allowed", "bad: no subscribe", False)
    ]
    assert scene.taken() == [("c", 1)]
    assert scene.states[-1] == ("connected", "joined")
    assert len(scene.sent) == 5


@pytest.mark.parametrize("code", ["not-allowed", "bad-channel", "too-many-channels"])
def test_only_channel_of_a_join_that_is_refused_is_asked_for_alone(code: str) -> None:
    """The join goes on without it."""
    scene = Scene("bad")
    scene.start()
    scene.open()

    scene.refuse(code)
    scene.answer()
    scene.refuse(code)

    assert [_names(scene, index) for index in range(3)] == [["*", "bad"], ["*"], ["bad"]]
    assert [one.message for one in scene.troubles] == ["bad: no subscribe"]
    assert len(scene.sent) == 3


def test_several_channels_are_asked_for_together_again_after_a_refusal() -> None:
    """Only while it is not known which one is refused, each has a request of its own."""
    scene = Scene()
    scene.connect()
    _subscribe(scene, "a")
    _subscribe(scene, "b", "bad")
    scene.answer()
    scene.refuse("not-allowed")
    scene.answer()
    scene.refuse("not-allowed")

    _subscribe(scene, "d")
    _subscribe(scene, "e", "f")
    scene.answer()

    assert [_names(scene, index) for index in range(2, 7)] == [
        ["b", "bad"],
        ["b"],
        ["bad"],
        ["d"],
        ["e", "f"],
    ]


def test_channel_that_is_refused_alone_is_dropped_at_once() -> None:
    """A subscribe that names one only."""
    scene = Scene()
    scene.connect()
    _subscribe(scene, "bad")

    scene.refuse("bad-channel")

    assert scene.actions == ["join", "subscribe"]
    assert scene.codes == ["bad-channel"]
    assert "bad" not in scene.client.channels


def test_channel_that_is_refused_and_followed_anew_is_kept() -> None:
    """The refusal was of the subscription before; the new one is asked for."""
    scene = Scene()
    scene.connect()
    _subscribe(scene, "a")
    _unsubscribe(scene, "a")
    _subscribe(scene, "a")

    scene.refuse("not-allowed")

    assert scene.codes == []
    assert scene.actions == ["join", "subscribe", "subscribe"]


def test_join_of_everyone_that_is_refused_is_given_up() -> None:
    """Nothing is left to ask for: it is told, and tried again later."""
    scene = Scene()
    scene.start()
    socket = scene.open()

    scene.refuse("not-allowed")

    assert scene.codes == ["not-allowed"]
    assert (scene.actions, scene.closed) == (["join"], [socket])


def test_channel_that_the_server_does_not_understand_is_dropped() -> None:
    """It may ask for more of its last frames than are replayed: the others go on without it."""
    scene = Scene()
    scene.connect()
    _subscribe(scene, "a")

    scene.refuse("bad-frame")

    assert scene.codes == ["bad-frame"]
    assert "a" not in scene.client.channels
    assert scene.closed == []


@pytest.mark.parametrize("code", ["bad-frame", "bad-channel", "not-allowed", "later"])
def test_unsubscribe_that_is_refused_is_given_up(code: str) -> None:
    """It is told, and not asked again; the connection stays."""
    scene = Scene("a", "b")
    scene.connect()
    _unsubscribe(scene, "a", "b")

    scene.refuse(code)
    second = scene.last
    scene.refuse(code)
    scene.advance(60_000)

    assert second["channels"] == ["b"]
    assert scene.actions == ["join", "unsubscribe", "unsubscribe"]
    assert scene.codes == [code, code]
    assert scene.closed == []


def test_channel_whose_replay_is_not_allowed_is_dropped() -> None:
    """The right to it may have ended."""
    scene = Scene("news")
    scene.connect()
    scene.text(frame(2, "news"))
    scene.advance(3_000)

    scene.refuse("not-allowed")

    assert [one.message for one in scene.troubles] == ["news: no replay"]
    assert "news" not in scene.client.channels
    assert (scene.last["action"], scene.last["channels"]) == ("unsubscribe", ["news"])


@pytest.mark.parametrize("code", ["bad-frame", "not-allowed"])
def test_replay_of_everyone_that_is_refused_is_asked_again_later(code: str) -> None:
    """That channel cannot be left."""
    scene = Scene()
    scene.connect()
    scene.text(frame(2))
    scene.advance(3_000)

    scene.refuse(code)
    scene.advance(2_999)
    before = list(scene.actions)
    scene.advance(1)

    assert scene.codes == [code]
    assert (before, scene.actions) == (["join", "replay"], ["join", "replay", "replay"])


def test_ping_that_is_refused_is_told() -> None:
    """Nothing else changes."""
    scene = Scene("news")
    scene.connect()
    scene.advance(480_000)

    scene.refuse("not-allowed")

    assert scene.codes == ["not-allowed"]
    assert "news" in scene.client.channels
    assert scene.closed == []
