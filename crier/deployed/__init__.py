"""A deployed stack: what an operator reads there and writes there.

Read `deployment` first: it finds the stack. Producers: `request` checks a body, `producer` enqueues
it. The ledger, from the bottom: `row_values`, `table_reader`, `open_slices`, `addressed`,
`account`, `contradictions`, `account_reader`. Dead letters: `letter`, `dead_letters`,
`redrive_decision`, `redrive`. Connections: `self_rows`, `connections_reader` lists them,
`connection_rows` has their rows, `connections_api` asks API Gateway; `kick` throws one out by both,
`kicking` many.
"""
