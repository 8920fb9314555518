"""The function that answers what clients send: subscriptions, and what they missed."""

from aws_cdk import Duration
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from stacks.parts.dependencies import Dependencies
from stacks.parts.function import Function
from stacks.parts.row_statements import CHANNELS, EVERYONE, OWN, rows_statement
from stacks.settings import DeploySettings

MEMORY_MB = 512
"""It waits for DynamoDB most of the time, and keeps 8 MB of frames."""

TIMEOUT_SECONDS = 10
"""A client waits for an answer, and asks again after 10 s."""


class ClientFrame(Function):
    """A function, and the permissions that subscriptions and replays need.

    Of the connections table it writes subscriptions alone, and reads whether a connection is
    there; of the ledger it reads and writes the counters and the frames of streams, and no account
    of a broadcast.
    """

    def __init__(
        self,
        scope: Construct,
        id_: str,
        *,
        settings: DeploySettings,
        dependencies: Dependencies,
        connections: dynamodb.ITable,
        ledger: dynamodb.ITable,
    ) -> None:
        super().__init__(
            scope,
            id_,
            settings=settings,
            dependencies=dependencies,
            module="client_frame",
            description="Answers clients: subscribes them, and sends what they missed",
            environment={
                "CONNECTIONS_TABLE": connections.table_name,
                "BROADCASTS_TABLE": ledger.table_name,
                "OPEN_CHANNELS": " ".join(settings.open_channels),
                "REPLAY_SECONDS": str(settings.replay_seconds),
                "REPLAY_FRAMES": str(settings.replay_frames),
            },
            memory_mb=MEMORY_MB,
            timeout=Duration.seconds(TIMEOUT_SECONDS),
        )
        for table, rows, actions in (
            (connections, OWN, ("UpdateItem", "DeleteItem")),
            (connections, CHANNELS, ("BatchWriteItem",)),
            (connections, EVERYONE, ("BatchGetItem",)),
            (ledger, CHANNELS, ("BatchGetItem", "GetItem", "PutItem", "Query", "UpdateItem")),
        ):
            self.add_to_role_policy(rows_statement(table, rows, *actions))
