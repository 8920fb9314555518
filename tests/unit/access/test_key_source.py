"""When keys are fetched as for one that is not known, and what is said of it."""

from access.key_cache import UNKNOWN_SECONDS
from access.key_errors import KeysError
from access.key_set import KeySet
from access.key_source import KeySource
from tests.support.tokens import issuer_keys


def test_source_tells_whether_it_has_fetched_for_a_key_that_is_not_known() -> None:
    """Only then is there anything new to verify a token by."""
    seconds = [0.0]
    answers: list[KeySet | Exception] = [issuer_keys(), KeysError("down"), issuer_keys()]
    warnings: list[Exception] = []

    def fetch() -> KeySet:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    source = KeySource(fetch, now_seconds=lambda: seconds[0], warn=warnings.append)
    told = []
    for at in (0.0, UNKNOWN_SECONDS - 1, UNKNOWN_SECONDS, 2 * UNKNOWN_SECONDS):
        seconds[0] = at
        told.append(source.refresh_for_unknown())

    assert told == [True, False, False, True]
    assert [str(one) for one in warnings] == ["down"]
