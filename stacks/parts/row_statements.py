"""Permissions on some rows of the connections table: those whose partition key begins alike."""

from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam

TICKETS = "ticket#*"
DENIED = "denied#*"
"""As lambdas/broadcasting/door_rows.py names them; a test holds the two together."""


def rows_statement(table: dynamodb.ITable, action: str, rows: str) -> iam.PolicyStatement:
    """Return the statement that allows one action of DynamoDB on these rows, and on no others.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html
    """
    return iam.PolicyStatement(
        actions=[f"dynamodb:{action}"],
        conditions={"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [rows]}},
        resources=[table.table_arn],
    )
