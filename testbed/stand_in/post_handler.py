"""Handles every post: decides what happens to it, and counts."""

from testbed.stand_in.errors import error_answer
from testbed.stand_in.reaction import Post, Reaction, Script
from testbed.stand_in.request import Request
from testbed.stand_in.signature import SignatureVerifier
from testbed.stand_in.tally import Tally

PAYLOAD_LIMIT_BYTES = 128 * 1024
"""The service's: https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html"""


class PostHandler:
    """One behaviour at work, with its counts."""

    def __init__(
        self,
        script: Script,
        *,
        close_after_answers: int = 0,
        verifier: SignatureVerifier | None = None,
        cpu_seconds: float = 0.0,
    ) -> None:
        self.close_after_answers = close_after_answers
        self.tally = Tally(cpu_seconds)
        self._script = script
        self._verifier = verifier

    @property
    def verifies(self) -> bool:
        """Whether it looks at more of a post than `decide` is told."""
        return self._verifier is not None

    def react(self, request: Request) -> Reaction:
        """Return what happens to a post; from here on it counts as delivered, or not."""
        if self._verifier is not None and (wrong := self._verifier.objection(request)):
            self.tally.posts += 1
            self.tally.unsigned += 1
            return error_answer(403, wrong)
        return self.decide(request.connection_id, request.body)

    def decide(self, connection_id: str, body: bytes) -> Reaction:
        """Return what happens to a post whose signature is not in question."""
        tally = self.tally
        tally.posts += 1
        if len(body) > PAYLOAD_LIMIT_BYTES:
            return error_answer(413)
        attempt = tally.attempts[connection_id] = tally.attempts.get(connection_id, 0) + 1
        reaction = self._script(Post(connection_id, attempt, body))
        if reaction.delivers:
            tally.received[connection_id] = tally.received.get(connection_id, 0) + 1
        return reaction

    def take_back(self, connection_id: str, reaction: Reaction) -> None:
        """Let a post not count as delivered: it was lost, or refused, before its reaction."""
        received = self.tally.received
        count = received.get(connection_id, 0)
        if reaction.delivers and count > 1:
            received[connection_id] = count - 1
        elif reaction.delivers:
            received.pop(connection_id, None)
