"""What a client of a storm was told, and how long its returns took."""

from broadcasting.followed_channel import Gap, Message, Recovered
from crier.listening.effects import Changed, Followed, State, Trouble
from testbed.storm.diary import Diary, Heard
from testbed.storm.returns import Return, Returns


def message(seq: int, *, is_replayed: bool = False) -> Followed:
    """Return a frame of `news` as a client tells it."""
    frame = {"id": f"n{seq}", "seq": seq, "channel": "news", "message": "x", "sentAt": seq}
    return Followed("news", Message(frame, is_replayed))


def changed(state: State, *, retry_in_ms: float | None = None, reason: str = "cut") -> Changed:
    """Return a change of the state."""
    return Changed(State.CONNECTING, state, reason, retry_in_ms)


def recovered(channel: str) -> Followed:
    """Return that a channel is whole."""
    return Followed(channel, Recovered(1))


def test_diary_has_what_the_callback_was_given_in_its_order() -> None:
    """Copies, too: they are for the verdict to find."""
    diary = Diary("alice", frozenset({"news"}))

    for one in (message(2), message(1, is_replayed=True), message(2), recovered("news")):
        diary.take(one, 1.0)

    replayed = Heard("n1", 1, is_replayed=True)
    assert diary.heard == {"news": [Heard("n2", 2), replayed, Heard("n2", 2)]}
    assert (diary.received, diary.replayed) == (3, 1)


def test_diary_has_gaps_troubles_joins_and_the_end() -> None:
    """The first join counts for what it must have."""
    diary = Diary("alice", frozenset({"news"}))

    diary.take(changed(State.CONNECTING), 1.0)
    diary.take(changed(State.CONNECTED), 2.0)
    diary.take(Followed("news", Gap(3, 7, "expired")), 3.0)
    diary.take(Trouble("token", "the issuer is away", retry=True), 4.0)
    diary.take(changed(State.CONNECTED), 5.0)
    diary.take(changed(State.CLOSED, reason="unauthorized"), 6.0)

    assert (diary.joined_at, diary.joins) == (2.0, 2)
    assert diary.gaps == ["news after 3 up to 7 (expired)"]
    assert (dict(diary.troubles), diary.ended) == ({"token": 1}, "unauthorized")


def returns_of(*, cut_at: float = 20.0) -> Returns:
    """Return those of a client of two channels that connected at 5 s and was cut."""
    returns = Returns({"*", "news"})
    returns.take(changed(State.CONNECTED), 5.0)
    returns.cut(cut_at)
    return returns


def test_return_ends_when_each_channel_is_whole() -> None:
    """It knows what of it was waited, and that the first try has brought the client back."""
    returns = returns_of()

    returns.take(changed(State.WAITING, retry_in_ms=1_500.0), 20.0)
    returns.take(changed(State.CONNECTED), 22.0)
    returns.take(recovered("news"), 22.0)
    (one,) = returns.all
    before = (one.seconds, one.is_at_first_try)
    returns.take(recovered("*"), 22.5)
    returns.take(recovered("*"), 30.0)

    assert before == (0.0, False)
    assert (one.seconds, one.waited_seconds, one.is_at_first_try) == (2.5, 1.5, True)


def test_return_after_two_tries_is_none_at_the_first() -> None:
    """Both waits count."""
    returns = returns_of()

    for wait_ms in (500.0, 1_000.0):
        returns.take(changed(State.WAITING, retry_in_ms=wait_ms), 20.0)
    returns.take(changed(State.CONNECTED), 22.0)
    for name in ("news", "*"):
        returns.take(recovered(name), 23.0)

    (one,) = returns.all
    assert (one.seconds, one.waited_seconds, one.is_at_first_try) == (3.0, 1.5, False)


def test_cut_soon_after_a_connect_is_no_first_failure() -> None:
    """The client then waits longer."""
    returns = returns_of(cut_at=14.9)

    returns.take(changed(State.WAITING, retry_in_ms=500.0), 14.9)
    for name in ("news", "*"):
        returns.take(recovered(name), 16.0)

    assert [one.is_at_first_try for one in returns.all] == [False]


def test_cut_before_it_is_whole_is_another_return() -> None:
    """The first one has no end; what comes is of the second."""
    returns = returns_of()

    returns.take(recovered("*"), 21.0)
    returns.cut(22.0)
    for name in ("news", "*"):
        returns.take(recovered(name), 24.0)

    assert [one.whole_at for one in returns.all] == [None, 24.0]


def test_return_by_a_renewal_that_was_under_way_has_no_try() -> None:
    """It waits for nothing, and would flatter the figures."""
    assert not Return(1.0, is_first_failure=True, missing=set(), whole_at=2.0).is_at_first_try
