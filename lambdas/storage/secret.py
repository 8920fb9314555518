"""A secret of Secrets Manager: its current version, and the one before the last rotation."""

from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from storage.error_codes import code_of
from storage.errors import ReadError

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


class Secret:
    """Reads one secret, by its name or its ARN. Errors never hold what it is."""

    def __init__(self, client: "SecretsManagerClient", secret_id: str) -> None:
        self._client = client
        self._secret_id = secret_id

    def current(self) -> bytes:
        """Return the bytes of its text, or its bytes. Raises ReadError."""
        return self._read("AWSCURRENT")

    def previous(self) -> bytes | None:
        """Return the version before, None if it has never been rotated. Raises ReadError."""
        try:
            return self._read("AWSPREVIOUS")
        except ReadError as error:
            if code_of(error.__cause__) == "ResourceNotFoundException":
                return None
            raise

    def _read(self, stage: str) -> bytes:
        try:
            answer = self._client.get_secret_value(SecretId=self._secret_id, VersionStage=stage)
        except (ClientError, BotoCoreError) as error:
            raise ReadError(f"the secret was not read ({stage}): {code_of(error)}") from error
        text = answer.get("SecretString")
        return answer.get("SecretBinary", b"") if text is None else text.encode()
