"""Permissions on some rows of a table: those whose partition key begins alike."""

from collections.abc import Sequence

from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam

EVERYONE = ("all#*",)
OWN = ("connection#*",)
CHANNELS = ("channel#*",)
USERS = ("user#*",)
NEW_CONNECTIONS = (*EVERYONE, *OWN, *USERS)
CONNECTIONS = (*NEW_CONNECTIONS, *CHANNELS)
TICKETS = ("ticket#*",)
DENIED = ("denied#*",)
"""As lambdas/broadcasting names them; a test holds the two together. CHANNELS are those of the
ledger, too, whose rows are numbers and frames; all others are of the connections table.

A function that writes rows of connections could otherwise write tickets, and delete denials; one
that reads what a client missed could write the accounts of broadcasts.
"""


def rows_statement(
    table: dynamodb.ITable, rows: Sequence[str], *actions: str
) -> iam.PolicyStatement:
    """Return the statement that allows actions of DynamoDB on these rows, and on no others.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
    """
    return iam.PolicyStatement(
        actions=[f"dynamodb:{action}" for action in actions],
        conditions={"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [*rows]}},
        resources=[table.table_arn],
    )
