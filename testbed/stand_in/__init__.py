"""A stand-in for API Gateway's `@connections`: fast for the benchmark, hostile for the tests.

To read it, begin with `reaction` (what can happen to a post), then `server`, which accepts an
`http_connection` for each client; that reads posts (`post_stream`, `request`), asks the
`post_handler` what happens, and writes it (`response`) to a `wire`, with or without TLS.
`behaviour` chooses reactions by shares and seed; `process` runs all of it beside a benchmark.
"""
