"""Where things are in this project."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BUILD = ROOT / "build"
LAMBDAS = ROOT / "lambdas"
PROGRAMS = Path(sys.executable).parent
"""Where the virtual environment has its programs: Node among them, from its wheel."""
