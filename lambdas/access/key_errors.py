"""The errors of keys and secrets. Their texts say what is wrong with them, and never what they are.

KeysError
└── KeysUnavailableError    no token can be verified
"""


class KeysError(Exception):
    """A key set, or a secret, cannot be had or used; the message says why."""


class KeysUnavailableError(KeysError):
    """No token can be verified: there are no keys, or they are a day old."""

    def __init__(self) -> None:
        super().__init__(
            "there are no keys to verify tokens by, or only old ones; look for the log lines "
            "`keys not fetched`"
        )
