"""The hot path: how one frame gets to many connections.

Read in this order: fan_out.py (the port: what a caller gives, gets and watches), then its fast
implementation from the outside in. selector_fan_out.py wires one call; feeder.py takes connections
from the audience, session.py hands them to the posting threads and results back; post_loop.py is
what such a thread does, asking gate.py and shared_pacer.py whether it may, and next_posts.py what
comes next; judge.py decides what an answer means, with post.py, retry_queue.py and answers.py.
signing.py signs posts, http/ sends them. budget_asker.py and lasting_time.py belong to the shared
pace; no_asker.py is for where none is.
"""
