"""The connections table."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct


class ConnectionsTable(Construct):
    """One row per connection, on demand, expired by TTL.

    No point-in-time recovery: connections are rebuilt by reconnecting. But a client whose row is
    lost receives nothing until it reconnects, up to two hours later: with `keep` the table outlives
    the stack and cannot be deleted until its protection is taken off.
    """

    def __init__(self, scope: Construct, id_: str, *, keep: bool) -> None:
        super().__init__(scope, id_)
        self.table = dynamodb.Table(
            self,
            "Table",
            partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING),
            sort_key=dynamodb.Attribute(name="sk", type=dynamodb.AttributeType.STRING),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            time_to_live_attribute="expiresAt",
            deletion_protection=keep or None,
            removal_policy=RemovalPolicy.RETAIN if keep else RemovalPolicy.DESTROY,
        )
