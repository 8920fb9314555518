"""The environment of a local run: nothing in it leads to a real AWS."""

import os

from crier.paths import PROGRAMS

HOST = "127.0.0.1"
"""The host of the local AWS."""


def clean_environment() -> dict[str, str]:
    """Return the environment without what could lead elsewhere, and with our programs first.

    The variables and the files of AWS lead to a real AWS, and a proxy does not know our host.
    """
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    direct = ",".join(filter(None, (kept.get("no_proxy") or kept.get("NO_PROXY"), HOST)))
    return {
        **kept,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": direct,
        "no_proxy": direct,
        "PATH": f"{PROGRAMS}{os.pathsep}{kept.get('PATH', '')}",
    }


def stay_local() -> None:
    """Let this process, too, use the local AWS only, whatever its environment says."""
    environment = clean_environment()
    os.environ.clear()
    os.environ.update(environment)
