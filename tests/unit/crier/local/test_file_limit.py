"""Raising the limit of open files."""

import resource

import pytest

from crier.errors import CrierError
from crier.local.file_limit import allow_clients, raise_file_limit


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


@pytest.mark.parametrize("soft", [1_256, 2_000, resource.RLIM_INFINITY])
def test_file_limit_stays_when_it_suffices(monkeypatch: pytest.MonkeyPatch, soft: int) -> None:
    """A limit that suffices is left alone."""
    fake = limits(monkeypatch, soft, resource.RLIM_INFINITY)

    allow_clients(1_000)

    assert fake.was_set == []


@pytest.mark.parametrize("hard", [1_256, 4_096, resource.RLIM_INFINITY])
def test_file_limit_is_raised_when_the_system_allows_it(
    monkeypatch: pytest.MonkeyPatch, hard: int
) -> None:
    """The soft limit is raised to what is needed, with some to spare; the hard one stays."""
    fake = limits(monkeypatch, 256, hard)

    allow_clients(1_000)

    assert fake.was_set == [(1_256, hard)]


@pytest.mark.parametrize(
    ("hard", "fewer"),
    [
        (4_096, ", or ask for at most 3840 with CONNECTIONS=3840"),
        (257, ", or ask for at most 1 with CONNECTIONS=1"),
        (256, ""),
        (64, ""),
    ],
)
def test_file_limit_says_what_to_type_when_the_system_refuses(
    monkeypatch: pytest.MonkeyPatch, hard: int, fewer: str
) -> None:
    """The error says what is needed, what is allowed and what to type: a number that will do."""
    limits(monkeypatch, 64, hard)

    with pytest.raises(CrierError) as caught:
        allow_clients(50_000)

    assert str(caught.value) == (
        f"50256 open files are needed, this system allows {hard}: as root, type "
        f"`ulimit -Hn 50256` in this shell{fewer}"
    )


@pytest.mark.parametrize(
    ("hard", "files"), [(resource.RLIM_INFINITY, 3_000), (4_096, 3_000), (1_024, 1_024), (64, 64)]
)
def test_file_limit_is_raised_as_far_as_the_system_allows(
    monkeypatch: pytest.MonkeyPatch, hard: int, files: int
) -> None:
    """A caller that only wants as many files as possible learns how many those are."""
    limits(monkeypatch, 64, hard)

    assert raise_file_limit(3_000) == files
