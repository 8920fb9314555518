"""The doors: each parses an event, calls what is behind it, and translates the answer.

Read events.py first: the events as API Gateway and SQS send them. authorize.py is asked first, and
reads its event by authorizer_event.py; connect.py and disconnect.py keep the connections' rows, and
arrivals.py reads `$connect`; client_frame.py answers what clients ask for, and reads its event by
client_event.py; broadcast.py opens broadcasts and delivers slices, and broadcast_log.py tells what
became of them.
"""
