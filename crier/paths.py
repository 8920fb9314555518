"""Where things are in this project."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"
PYTHON = sys.executable
PROGRAMS = Path(PYTHON).parent
"""Where the environment has its programs: Node among them, when it is there as a wheel."""
