"""For all tests: Node of the virtual environment, this tree, no deadline on a busy machine."""

import os
import sys
from pathlib import Path

from hypothesis import settings

# The CDK's core starts Node when it is imported, in whichever test file comes first.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"

# What the tests start imports this very tree: git worktrees may share one environment, into which
# crier is installed from another folder.
_ROOT = Path(__file__).parents[1]
os.environ["PYTHONPATH"] = f"{_ROOT / 'lambdas'}{os.pathsep}{_ROOT}"

settings.register_profile("crier", deadline=None)
settings.load_profile("crier")
