"""Who may connect: rules without a clock and without I/O, which the authorizer asks.

Read in this order: refusal.py (why a client is not let in), client.py (one that is), admission.py
(all the rules in their order), token_place.py (where the token stands in a request), compact.py (a
token taken apart), verifier.py (its signature, then claims.py: what it says), key_set.py and
key_cache.py (the keys of an issuer, and when to fetch them), key_source.py (which has them
fetched), secret_verifier.py (a shared secret in place of keys), ticket.py (the other way in),
origins.py and deny_list.py (pages and users that may not connect), policy.py (the answer).

key_fetch.py alone does I/O: it fetches what key_url.py names.
"""
