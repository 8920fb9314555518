"""Who may connect: rules without a clock and without I/O, which the authorizer asks.

Read in this order: refusal.py (why a client is not let in), client.py (one that is), token_place.py
(where the token stands in a request), compact.py (a token taken apart), verifier.py (its signature,
then claims.py: what it says), key_set.py and key_cache.py (the keys of an issuer, and when to fetch
them), ticket.py (the other way in), origins.py (pages that may connect).
"""
