"""The doors: each parses an event, calls what is behind it, and translates the answer.

Read events.py first: the events as API Gateway and SQS send them. connect.py and disconnect.py
keep the connections' rows; authorize.py is asked before them, and reads its event by
authorizer_event.py; client_frame.py answers a client that speaks; broadcast.py opens broadcasts and
delivers slices, and broadcast_log.py tells what became of them.
"""
