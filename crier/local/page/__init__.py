"""The page of the local run, and the proxy that shows it what the local AWS does not do.

Read `control` first, what the page's buttons may ask for, then `proxied_connection`, one client's
connection, and `proxy`, which accepts them; `passing` says what a text is that goes by. `guard`,
`site` and `web_server` serve the page, with `tokens` that let its user in. `serving` starts all.
Only `proxy`, `proxied_connection` and `serving` need the library websockets.
"""
