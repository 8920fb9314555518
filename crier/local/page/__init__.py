"""The page of the local run, and the proxy that does for it what the local AWS does not do.

Read `control` first, what the page's buttons may ask for. `proxy` accepts clients: `handshake`
opens their connections, `proxied_connection` is one of them, and `passing` says what a text is that
goes by. `web_server` reads and sends what `site` answers: files, and `tokens` that let the page's
user in, but for what `guard` refuses; `answers` has the values. `serving` starts all, the proxy in
a `proxy_thread`.
"""
