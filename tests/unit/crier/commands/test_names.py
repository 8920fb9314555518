"""Names of users, connections and channels on the command line."""

import pytest
import typer

from crier.commands.names import channel_patterns, connection_id, user_name


@pytest.mark.parametrize("name", ["alice", "a#b", "日本", "🦜", "x" * 128, "a b", "-", "auth0|5"])
def test_user_is_taken_as_it_is(name: str) -> None:
    """Whatever shows, up to 128 characters."""
    assert user_name(name) == name


@pytest.mark.parametrize("name", ["", "x" * 129, "a\nb", "a\tb", "\x1b[31m", "\u202eab", "\udcff"])
def test_user_is_refused_when_it_does_not_show(name: str) -> None:
    """The message says what was found, on one line, and what was expected."""
    with pytest.raises(typer.BadParameter) as caught:
        user_name(name)

    assert "expected 1 to 128 characters, all of them printable" in caught.value.message
    assert caught.value.message.isprintable()


@pytest.mark.parametrize("id_", ["L0SM9cOFvHcCIhw=", "a/../b", "a?b#c", "%2e", "ü", "-abc=", "..."])
def test_id_is_taken_as_it_is(id_: str) -> None:
    """boto3 encodes it for the path."""
    assert connection_id(id_) == id_


@pytest.mark.parametrize("id_", ["", ".", "..", "a\nb", "\udcff", "é" * 513])
def test_id_is_refused_when_it_cannot_be_one(id_: str) -> None:
    """A dot, or two, would make another path of it: another request."""
    with pytest.raises(typer.BadParameter, match="expected a connection's id, such as L0SM9cOFvHc"):
        connection_id(id_)


def test_channels_are_read_with_any_blanks_between_them() -> None:
    """Names, and beginnings of names; none at all is none."""
    assert channel_patterns("  news   game:* ") == ("news", "game:*")
    assert channel_patterns("") == ()


@pytest.mark.parametrize(
    "channels",
    ["a*b", "**", "news!", "x" * 65, " ".join(["a"] * 101), "é", " ".join(["a" * 63] * 70)],
)
def test_channels_are_refused_when_they_are_odd_or_too_many(channels: str) -> None:
    """A trailing * only, 64 characters each, 100 of them, 4,096 characters in all."""
    with pytest.raises(typer.BadParameter, match="expected a list of up to 100 channel names"):
        channel_patterns(channels)
