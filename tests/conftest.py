"""For all tests: Node of the virtual environment, and no deadline on a busy machine."""

import os
import sys
from pathlib import Path

from hypothesis import settings

# The CDK's core starts Node when it is imported, in whichever test file comes first.
os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"

settings.register_profile("crier", deadline=None)
settings.load_profile("crier")
