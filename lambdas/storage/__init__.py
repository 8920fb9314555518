"""All I/O with DynamoDB and SQS: rows and messages of `broadcasting` are read and written here.

| step                       | files                                                              |
|----------------------------|--------------------------------------------------------------------|
| errors                     | errors: read again, wait or give up; error_codes                   |
| the connections table      | connections with row_batches and patience; sweeper                 |
| an audience in that table  | audience_reader with shard_sizes                                   |
| who may come in            | door_table: tickets, denied users; secret, of Secrets Manager      |
| what clients ask for       | subscriptions; client_rows; frames with frame_cache                |
| the broadcasts table       | ledger_table with ledger_refusals; row_reader                      |
| the numbers in that table  | stream_counters, numbered_stream (numbers that no broadcast uses)  |
| the ledger in that table   | ledger, ledger_loop (the one loop), ledger_opening, ledger_owner,  |
|                            | ledger_change; kept_frames                                         |
| the budget in that table   | budget                                                             |
| queues                     | queues                                                             |
| what a boto3 client is told | plain_query, plain_batches, idle_connections                     |
"""
