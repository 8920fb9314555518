"""One slice in one invocation: delivers it, judges its round, writes its account down.

Read in this order: worker.py (the whole of it), progress.py (connections taken, ended, to do),
upkeep.py (while it posts: parts given away, checkpoints; with checkpoints.py and stragglers.py),
rounds.py (whose trouble it was; with settlements.py), ending.py (closed, released, or given up).
bookkeeping.py and messages.py write to the ledger and to the queue; report.py says in the end what
was done.
"""
