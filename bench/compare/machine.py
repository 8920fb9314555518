"""The machine and the programs that a result was measured with."""

import os
import platform
import ssl
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from bench.strategies.registry import NODE

_CPU_FACTS = Path("/proc/cpuinfo")


def machine_facts() -> dict[str, str | int]:
    """Return what a reader needs to judge the figures by; nothing that names the machine."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count() or 1,
        "kernel": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "openssl": ssl.OPENSSL_VERSION,
        "node": _node_version(),
        "boto3": version("boto3"),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _cpu_model() -> str:
    if _CPU_FACTS.exists():
        for line in _CPU_FACTS.read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def _node_version() -> str:
    if not NODE.exists():
        return "none"
    run = subprocess.run([NODE, "--version"], capture_output=True, text=True, check=False)
    return run.stdout.strip() or "unknown"
