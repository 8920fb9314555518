"""A stand-in for API Gateway's `@connections`: fast for the benchmark, hostile for the tests.

To read it, begin with `reaction` (what can happen to a post), then `server`, which accepts a
client on a `wire`, with or without TLS; a `greeting` makes the connection that speaks its protocol.

HTTP/1.1: an `http_connection` reads posts (`post_stream`, `request`), asks the `post_handler` what
happens, and writes it (`response`).

HTTP/2: an `http2_connection` is the shell of an `http2_session`, which takes the frames that the
`http2_frame_reader` finds. An `http2_inbox` makes posts of them (`http2_hpack`, `http2_head`;
usual ones the fast way, by an `http2_template`). `http2_posts` asks when their reactions are due,
`http2_reactions` performs them on the `http2_streams`, and an `http2_outbox` holds what is to be
written. It shares no line with the client's HTTP/2, so that a mistake of one shows at the other.

`behaviour` chooses reactions by shares and seed; `process` runs all of it beside a benchmark.
"""
