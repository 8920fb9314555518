"""The issuer of a storm's tokens: it is away for a while, and some of its tokens are stale."""

import random
import time

from crier.listening.effects import TokenReason
from crier.listening.opening import TokenFailure
from crier.local import own_issuer

_HOUR_SECONDS = 3600
_LIFE_SECONDS = own_issuer.TOKEN_HOURS * _HOUR_SECONDS
_SHORT_LIFE_SECONDS = 30
_SHORT_LIVED = 25
_STALE_SHARE = 0.03


class Issuer:
    """Signs tokens with the secret of a stack. `is_away` says that it gives none for now.

    Of `clients` some 25 have tokens that live for half a minute, so that their connections have to
    be renewed; and three in a hundred tokens have expired when they are given, so that they let no
    client in.
    """

    def __init__(self, secret: str, dice: random.Random, *, clients: int) -> None:
        self.is_away = False
        self.in_vain = self.stale = 0
        """How often it was asked in vain, and how many stale tokens it has given."""
        self._secret, self._dice = secret, dice
        self._short_lived_one_in = max(1, clients // _SHORT_LIVED)

    def token_for(self, number: int) -> str | TokenFailure:
        """Return a token of the client with this number, or that there is none this time."""
        if self.is_away:
            self.in_vain += 1
            return TokenFailure("the issuer is away")
        expires_seconds = int(time.time()) + _LIFE_SECONDS
        if self._dice.random() < _STALE_SHARE:
            self.stale += 1
            expires_seconds -= _LIFE_SECONDS + _HOUR_SECONDS
        elif number % self._short_lived_one_in == 0:
            expires_seconds += _SHORT_LIFE_SECONDS - _LIFE_SECONDS
        issued_seconds = expires_seconds - _LIFE_SECONDS
        return own_issuer.token_for(user_of(number), self._secret, now_seconds=issued_seconds)


class MemberTokens:
    """The tokens of one client: each connect asks the issuer for one, until one lets it in."""

    most_denials: int | None = None

    def __init__(self, issuer: Issuer, number: int) -> None:
        self._issuer, self._number = issuer, number

    async def get(self, reason: TokenReason) -> str | TokenFailure:
        """Return a new token, or that the issuer gives none."""
        del reason
        return self._issuer.token_for(self._number)


def user_of(number: int) -> str:
    """Return the user of the client with this number."""
    return f"client-{number}"
