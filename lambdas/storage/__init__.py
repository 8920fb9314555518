"""All I/O with DynamoDB and SQS: rows and messages of `broadcasting` are read and written here.

| step                       | files                                                              |
|----------------------------|--------------------------------------------------------------------|
| errors                     | errors: read again, wait or give up; error_codes                   |
| the connections table      | connections with row_batches and patience; sweeper                 |
| an audience in that table  | audience_reader with shard_sizes                                   |
| who may come in            | door_table: tickets, denied users; secret, of Secrets Manager      |
| the broadcasts table       | ledger_table with ledger_refusals; row_reader                      |
| the ledger in that table   | ledger, ledger_loop (the one loop), ledger_owner, ledger_change    |
| the budget in that table   | budget                                                             |
| queues                     | queues                                                             |
| what a boto3 client is told | plain_query, plain_batches, idle_connections                     |
"""
