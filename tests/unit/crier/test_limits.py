"""Raising the limit of open files."""

import resource

import pytest

from crier.errors import CrierError
from crier.limits import raise_file_limit


class Limits:
    """The system's limits of open files, and what they were set to."""

    def __init__(self, soft: int, hard: int) -> None:
        self.now = (soft, hard)
        self.was_set: list[tuple[int, int]] = []

    def get(self, _kind: int) -> tuple[int, int]:
        """Return the limits, as `resource.getrlimit` does."""
        return self.now

    def set(self, _kind: int, limits: tuple[int, int]) -> None:
        """Note the new limits, as `resource.setrlimit` would."""
        self.was_set.append(limits)


def limits(monkeypatch: pytest.MonkeyPatch, soft: int, hard: int) -> Limits:
    """Let the system have these limits."""
    fake = Limits(soft, hard)
    monkeypatch.setattr(resource, "getrlimit", fake.get)
    monkeypatch.setattr(resource, "setrlimit", fake.set)
    return fake


@pytest.mark.parametrize("soft", [1_000, 2_000, resource.RLIM_INFINITY])
def test_file_limit_stays_when_it_suffices(monkeypatch: pytest.MonkeyPatch, soft: int) -> None:
    """A limit that suffices is left alone."""
    fake = limits(monkeypatch, soft, resource.RLIM_INFINITY)

    raise_file_limit(1_000)

    assert fake.was_set == []


@pytest.mark.parametrize("hard", [1_000, 4_096, resource.RLIM_INFINITY])
def test_file_limit_is_raised_when_the_system_allows_it(
    monkeypatch: pytest.MonkeyPatch, hard: int
) -> None:
    """The soft limit is raised to what is needed; the hard one stays."""
    fake = limits(monkeypatch, 256, hard)

    raise_file_limit(1_000)

    assert fake.was_set == [(1_000, hard)]


def test_file_limit_says_what_to_type_when_the_system_refuses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The error says what is needed, what is allowed and what to type."""
    fake = limits(monkeypatch, 256, 4_096)

    with pytest.raises(CrierError) as caught:
        raise_file_limit(50_256)

    assert str(caught.value) == (
        "50256 open files are needed, this system allows 4096: as root, type "
        "`ulimit -Hn 50256` in this shell, or ask for fewer with CONNECTIONS="
    )
    assert fake.was_set == []
