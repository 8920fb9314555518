"""What a broadcast is and how its account is kept: values and rules.

The standard library only; no clock, no I/O, no threads. Time and chance are passed in. Read it in
this order:

| step                 | files                                                                    |
|----------------------|--------------------------------------------------------------------------|
| what a producer asks | message, with checks, envelopes, nesting, strict_json and errors         |
| what a client gets   | frame; subprotocol when it connects, bye before it is closed             |
| what a client asks   | client_request, _parsing, _refusal; asking_client (what it may use)      |
| what it is answered  | replay (all that was missed, or lost), position, client_answer           |
| what is posted to    | audience (a connection, its shard), connection_row; backlog of a slice   |
| whose it is          | user_rows, connecting_client; channel_patterns; door_rows (who may come) |
| the ledger           | ledger_rows, ledger, ledger_opening, ledger_failed, ledger_items (items) |
| what a post comes to | outcome, receipt (the sums), reasons, retry                              |
| whose trouble it is  | trouble, breaker with lost_window, lost_places and probes                |
| how fast posts go    | the package pacing                                                       |
| messages of SQS      | slice_message; dead_letter and its attributes                            |
"""
