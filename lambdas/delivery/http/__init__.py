"""HTTP connections to `@connections`. Nothing here knows of broadcasts.

Read in this order: request.py and connection.py (what a post is before it is written, and the port
that each protocol implements), pool.py (the connections of one thread), then how a connection comes
to be: endpoint.py, resolver.py, addresses.py, connector.py, handshake.py, openings.py. HTTP/1.1 is
http1_connection.py with http1_request.py, http1_response.py and http1_head.py; a second protocol is
a sibling of these, chosen in handshake.py. waker.py wakes a thread that waits in its pool.
"""
