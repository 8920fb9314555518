"""Whether a client is let in, where little is said of how."""

import pytest

from access.admission import Admission, ConnectRequest
from access.client import Client
from access.refusal import Refusal, RefusedError
from tests.support.tokens import NOW

REQUEST = ConnectRequest(queried=("t.o.k",))


def test_admission_ends_a_session_with_its_token_unless_it_is_told_not_to() -> None:
    """The stricter one of both is what is left out."""
    admission = Admission(identify=lambda *_: Client("alice", None, NOW + 1))

    assert admission.admit(REQUEST, NOW).expires_seconds == NOW + 1
    with pytest.raises(RefusedError, match=Refusal.EXPIRED):
        admission.admit(REQUEST, NOW + 1)
