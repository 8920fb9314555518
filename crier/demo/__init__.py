"""The demos: real clients, broadcasts, and a count of what each client received.

Of one broadcast to many clients: read `run` first, then `clients`, which connects them, and
`result`, which counts. Of channels: `cast` says who is there and what is sent, `follower` and
`channel_client` are a client, `channels_run` plays it, with `door` to let clients in, and
`channel_tally` and `channels_result` count.
"""
