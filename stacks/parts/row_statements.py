"""Permissions on some rows of the connections table: those whose partition key begins alike."""

from collections.abc import Sequence

from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam

CONNECTIONS = ("all#*", "connection#*", "user#*")
TICKETS = ("ticket#*",)
DENIED = ("denied#*",)
"""As lambdas/broadcasting names them; a test holds the two together.

A function that writes rows of connections could otherwise write tickets, and delete denials.
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
