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

    def react(self, request: Request) -> Reaction:
        """Return what happens to a post; from here on it counts as delivered, or not."""
        tally = self.tally
        tally.posts += 1
        if self._verifier is not None and (wrong := self._verifier.objection(request)):
            tally.unsigned += 1
            return error_answer(403, wrong)
        if len(request.body) > PAYLOAD_LIMIT_BYTES:
            return error_answer(413)
        connection_id = request.connection_id
        attempt = tally.attempts[connection_id] = tally.attempts.get(connection_id, 0) + 1
        reaction = self._script(Post(connection_id, attempt, request.body))
        if reaction.delivers:
            tally.received[connection_id] = tally.received.get(connection_id, 0) + 1
        return reaction
