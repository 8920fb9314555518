"""What tests at the wire share."""

import pytest

from broadcasting import breaker


@pytest.fixture
def hasty_probes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the breaker probe for a second only, where the waiting is not the point."""
    monkeypatch.setattr(breaker, "PROBES_AT_SECONDS", (0.0, 0.02, 0.06, 0.14, 0.3, 0.6))
    monkeypatch.setattr(breaker, "PROBING_SECONDS", 1.0)
