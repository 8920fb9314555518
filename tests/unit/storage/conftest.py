"""What tests of the storage share: botocore's clients try again without a pause."""

import pytest
from botocore.retries.standard import ExponentialBackoff


@pytest.fixture(autouse=True)
def no_pauses_of_botocore(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let botocore's retries come at once: that there are some is tested, not how they pause."""
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)
