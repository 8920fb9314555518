"""What may be logged of an error of botocore's: its text may name what was sent."""

from botocore.exceptions import ClientError


def code_of(error: BaseException | None) -> str:
    """Return the error code of AWS, or the kind of error."""
    if isinstance(error, ClientError):
        return str(error.response.get("Error", {}).get("Code", "no code"))
    return type(error).__name__
