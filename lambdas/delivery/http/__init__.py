"""HTTP connections to `@connections`. Nothing here knows of broadcasts.

Read in this order: request.py and connection.py (what a post is before it is written, and the port
that each protocol implements), pool.py with open_connections.py (the connections of one thread),
then how a connection comes to be: endpoint.py, resolver.py, addresses.py, connector.py, tls.py,
handshake.py (where the server chooses the protocol), openings.py. waker.py wakes a thread that
waits in its pool.

HTTP/1.1 is http1_connection.py with http1_request.py, http1_response.py and http1_head.py. HTTP/2
is http2_connection.py (the shell that reads and writes) around http2_protocol.py (the streams of
one connection), with http2_frames.py, http2_frame_reader.py, http2_receiver.py, http2_sender.py,
http2_settings.py, http2_stream.py, and for header blocks hpack.py, http2_request.py and
http2_response.py. Only the shells do I/O.
"""
