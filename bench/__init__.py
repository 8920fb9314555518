"""The benchmarks: one program, `python -m bench`, with a verb for each thing that is measured.

To read it, begin with `__main__` (the verbs and their options); then a verb's own package, each of
which says where to begin: `compare` (Crier beside other ways of posting), `scale` (what a broadcast
costs), `simulate` (the shared pace in virtual time), `promises` (what faults cost), `door` (what it
costs to be let in), `plots` and `documents` (what is shown of them). All of them judge a `Target`,
write with `result_file`, and show with `terminal`.

This is the only place that edits `sys.path`: the functions find their packages in `lambdas/`, as
Lambda does, and what measures them must find them there, too. Standard library only: the strategies
that run in an environment of their own import this package.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "lambdas"))
