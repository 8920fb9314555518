"""What a deleted prod stack leaves: brought back, and deleted, as the operator's guide says."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from crier.local.deploy import bootstrap, deploy_locally, local_session, run_cdk
from crier.local.local_aws import REGION, LocalAws
from crier.paths import ROOT

pytestmark = pytest.mark.timeout(180)
GUIDE = (ROOT / "docs" / "operator" / "deploy.md").read_text().split("## After `make destroy")[1]
OLD = ("OLD_CONNECTIONS_TABLE", "OLD_LEDGER_TABLE")
KEYS = {"pk": "HASH", "sk": "RANGE"}


@pytest.fixture
def aws() -> Iterator[LocalAws]:
    """A local AWS of its own, with two tables as a deleted stack leaves them."""
    with LocalAws() as aws:
        for name in OLD:
            _dynamodb(aws).create_table(
                TableName=name,
                AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in KEYS],
                KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in KEYS.items()],
                BillingMode="PAY_PER_REQUEST",
                DeletionProtectionEnabled=True,
            )
        yield aws


@pytest.fixture
def nothing_left() -> None:
    """The app that other tests of this folder share is not needed."""


def _dynamodb(aws: LocalAws) -> Any:
    return local_session().client("dynamodb", endpoint_url=aws.endpoint.url)


def test_tables_are_brought_back_by_an_import_before_the_deploy(aws: LocalAws) -> None:
    """The guide's file and options make a stack around the old tables, and no others."""
    mapping = aws.folder / "tables.json"
    mapping.write_text(re.findall(r"```json\n(.*?)```", GUIDE, re.DOTALL)[0])
    base = f"{aws.endpoint.url}/_aws/execute-api"
    (line,) = re.findall(r"cdk (import .*)\n", GUIDE)
    words = line.replace("prod", "dev").replace(mapping.name, str(mapping))

    bootstrap(aws)
    run_cdk(aws, "app.py", *words.split(), "-c", f"localCallbackBase={base}")
    deployed = deploy_locally(aws, lambda _: None)

    assert (deployed.connections_table_name, deployed.ledger_table_name) == OLD
    assert _dynamodb(aws).list_tables()["TableNames"] == sorted(OLD)


def test_tables_are_deleted_once_their_protection_is_taken_off(
    aws: LocalAws, shell: Callable[[str], Any]
) -> None:
    """The guide's two commands work as they are."""
    commands = re.findall(r"^aws dynamodb .*TABLE_NAME.*$", GUIDE, re.MULTILINE)
    keys = "AWS_ACCESS_KEY_ID=test AWS_SECRET_ACCESS_KEY=test"
    program = f"{keys} .venv-aws-cli/bin/aws --region {REGION} --endpoint-url {aws.endpoint.url}"

    with pytest.raises(_dynamodb(aws).exceptions.ClientError, match="protected against deletion"):
        _dynamodb(aws).delete_table(TableName=OLD[0])
    for command in commands:
        line = command.replace("aws", program, 1).replace("TABLE_NAME", OLD[0])
        assert json.dumps(shell(line))

    assert len(commands) == 2
    assert _dynamodb(aws).list_tables()["TableNames"] == [OLD[1]]
