"""The commands, one file each, with what it shows.

Read `broadcasts` first: it is the shortest. `send` takes its message by `message_source`; `status`,
`broadcasts` and `send` show accounts by `account_views` and `account_table`, and `audience_options`
says whom `send` sends to; `dead_letters` and `redrive` show letters by `dead_letter_views`;
`connections` and `inspect_connection` show theirs by `connection_views`, `kick` by `kick_views`,
and these and `ticket` read names by `names`; `probe` fills `probe_result`, which `probe_views`
shows and `probe_words` explains; `local` and `demo` share `local_deployment`, and `local` shows
`invitation`.
"""
