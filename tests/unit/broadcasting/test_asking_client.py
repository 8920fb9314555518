"""A client that asks: its channels and its end."""

import pytest

from broadcasting.asking_client import AskingClient
from broadcasting.client_refusal import Code, RefusedFrameError
from broadcasting.connection import Connection, expires_at

CONNECTION = Connection("c1=", 1_700_000_000_000)


def _refused(client: AskingClient, channel: str) -> RefusedFrameError:
    with pytest.raises(RefusedFrameError) as refused:
        client.stream_of(channel)
    return refused.value


def test_client_may_ask_for_what_is_allowed() -> None:
    """Everyone's always; its user's; what one of its patterns allows."""
    client = AskingClient(connection=CONNECTION, user="bob", patterns=("news", "game:*"))

    streams = [client.stream_of(one) for one in ("*", "@", "news", "game:7")]

    assert streams == ["*", "user#bob", "news", "game:7"]
    assert _refused(client, "newsletter").code is Code.NOT_ALLOWED


def test_anonymous_client_has_no_stream_of_its_own() -> None:
    """And no channel without a pattern."""
    client = AskingClient(connection=CONNECTION)

    assert client.stream_of("*") == "*"
    assert [_refused(client, one).code for one in ("@", "news")] == [Code.NOT_ALLOWED] * 2


def test_client_is_over_when_what_it_was_let_in_by_expires() -> None:
    """To the second; its rows expire then, too."""
    ends = AskingClient(connection=CONNECTION, expires_seconds=1_700_000_060)
    endless = AskingClient(connection=CONNECTION)

    assert [ends.is_over(1_700_000_060_000 - one) for one in (0, 1)] == [True, False]
    assert not endless.is_over(10**15)
    assert ends.rows_expire_at == 1_700_000_060
    assert endless.rows_expire_at == expires_at(CONNECTION.connected_at)


def test_rows_expire_with_the_connection_when_the_token_lives_longer() -> None:
    """Ten minutes after API Gateway has cut it."""
    client = AskingClient(connection=CONNECTION, expires_seconds=10**10)

    assert client.rows_expire_at == expires_at(CONNECTION.connected_at)


@pytest.mark.parametrize("wrong", [{"user": ""}, {"user": "a\n"}, {"expires_seconds": -1}])
def test_client_that_cannot_be_is_refused(wrong: dict[str, object]) -> None:
    """No event describes it."""
    with pytest.raises(ValueError, match="expected"):
        AskingClient(connection=CONNECTION, **wrong)  # type: ignore[arg-type]
