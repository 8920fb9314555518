"""Why a post has no answer: the HTTP connection was lost, or had been closed before the post."""

from delivery.http.http1_connection import HttpConnection
from delivery.http.http1_response import Response
from delivery.post import Post

Ending = tuple[Post, Response | Exception]
"""A post, and its answer or why there is none."""


class IdleClosedError(ConnectionError):
    """The server had closed the connection while it was idle: the post was in vain."""


def loss(http: HttpConnection, error: Exception) -> Exception:
    """Return why there is no answer; a server may close what is idle, and then tells nobody."""
    was_idle = (http.answers or http.has_rested) and not http.has_heard
    is_in_vain = was_idle and not isinstance(error, TimeoutError)
    return IdleClosedError(str(error)) if is_in_vain else error
