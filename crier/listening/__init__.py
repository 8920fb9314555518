"""A client of the protocol crier.v1 that misses nothing: what `crier listen` and the storm use.

Read in this order: effects (what a client does and tells), incoming (what a server sends, checked),
waits (how long it waits), channels (what it follows), requests (what it asks for, until it is
answered), connection (one WebSocket), replies (what it does about answers), opening (a connection
on its way), connections (how they take each other's place), client (all of it, without I/O). On
real sockets: address (where to connect to), tokens (where they come from), socket, listener.
"""
