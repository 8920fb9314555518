"""The Region that `crier probe` signs for."""

import re

from crier.errors import CrierError

_OF_A_HOST = re.compile(r"\.execute-api\.([a-z0-9-]+)\.")
_NAME = re.compile(r"[a-z0-9-]+")


def region_in(url: str) -> str | None:
    """Return the Region that a callback URL of AWS names, if it does."""
    found = _OF_A_HOST.search(url)
    return found[1] if found else None


def checked_region(region: str | None, url: str) -> str:
    """Return the Region if a request to the URL can be signed for it. Raises CrierError."""
    if not region:
        raise CrierError(f"the Region of {url} is not known: name it with --region")
    if not _NAME.fullmatch(region):
        raise CrierError(
            f"the Region is {region!r}, expected a name such as eu-central-1: correct it where it "
            "is set, in --region, AWS_REGION or the profile"
        )
    return region
