"""The one stack: makes the parts, connects them, grants what each may do, says where things are."""

from collections.abc import Mapping

from aws_cdk import CfnOutput, Duration, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk.aws_lambda_event_sources import SqsEventSource
from constructs import Construct

from stacks.parts.authorizer import Authorizer
from stacks.parts.broadcasts_table import BroadcastsTable
from stacks.parts.client_frame import ClientFrame
from stacks.parts.connections_table import ConnectionsTable
from stacks.parts.dependencies import Dependencies
from stacks.parts.function import Function
from stacks.parts.keep_alive import KeepAlive
from stacks.parts.pace import Pace
from stacks.parts.producers import let_send
from stacks.parts.queue_with_dead_letters import QueueWithDeadLetters
from stacks.parts.row_statements import (
    CONNECTIONS,
    NEW_CONNECTIONS,
    TICKETS,
    rows_statement,
)
from stacks.parts.web_socket import WebSocket
from stacks.settings import DeploySettings


class BroadcastStack(Stack):
    """Crier: from one SQS message to all connections."""

    def __init__(self, scope: Construct, id_: str, *, settings: DeploySettings) -> None:
        super().__init__(scope, id_, description="Crier: broadcasts to WebSocket connections")
        self._settings = settings
        self._dependencies = Dependencies(self, "Dependencies")
        self._connections = ConnectionsTable(self, "Connections", keep=settings.is_prod)
        self._ledger = BroadcastsTable(self, "Ledger", keep=settings.is_prod)
        timeout = Duration.seconds(settings.broadcast_timeout_seconds)
        self._broadcasts = QueueWithDeadLetters(
            self, "Broadcasts", function_timeout=timeout, keep=settings.is_prod
        )
        let_send(self._broadcasts.queue, settings.producers)
        self._slices = QueueWithDeadLetters(
            self, "Slices", function_timeout=timeout, keep=settings.is_prod
        )
        self._web_socket = self._make_web_socket()
        self._broadcast = self._make_broadcast(timeout)
        if settings.keep_alive_minutes:
            KeepAlive(
                self,
                "KeepAlive",
                queue=self._broadcasts.queue,
                every_minutes=settings.keep_alive_minutes,
            )
        self._put_out()

    def _make_web_socket(self) -> WebSocket:
        table = self._connections.table
        rows = {"CONNECTIONS_TABLE": table.table_name}
        named = {"NEEDS_USER": str(self._settings.has_authorizer).lower()}
        connect = self._function("Connect", "connect", "Writes a connection's rows", rows | named)
        disconnect = self._function("Disconnect", "disconnect", "Deletes a connection's rows", rows)
        client_frame = ClientFrame(
            self,
            "ClientFrame",
            settings=self._settings,
            dependencies=self._dependencies,
            connections=table,
            ledger=self._ledger.table,
        )
        connect.add_to_role_policy(  # all rows at once, and back if one fails
            rows_statement(table, NEW_CONNECTIONS, "BatchWriteItem")
        )
        self._grant_rows(disconnect, "DeleteItem", "BatchWriteItem")
        authorizer = self._make_authorizer() if self._settings.has_authorizer else None
        return WebSocket(
            self,
            "WebSocket",
            settings=self._settings,
            connect=connect,
            disconnect=disconnect,
            client_frame=client_frame,
            authorizer=authorizer.on_connect if authorizer else None,
        )

    def _make_authorizer(self) -> Authorizer:
        return Authorizer(
            self,
            "Authorizer",
            settings=self._settings,
            dependencies=self._dependencies,
            connections=self._connections.table,
        )

    def _function(
        self, id_: str, module: str, description: str, environment: Mapping[str, str]
    ) -> Function:
        return Function(
            self,
            id_,
            settings=self._settings,
            dependencies=self._dependencies,
            module=module,
            description=description,
            environment=environment,
        )

    def _make_broadcast(self, timeout: Duration) -> Function:
        table, slices = self._connections.table, self._slices
        pace = Pace(self, "Pace", settings=self._settings)
        function = Function(
            self,
            "Broadcast",
            settings=self._settings,
            dependencies=self._dependencies,
            module="broadcast",
            description="Settles broadcasts: delivers, retries, cleans up",
            environment={
                "CONNECTIONS_TABLE": table.table_name,
                "BROADCASTS_TABLE": self._ledger.table.table_name,
                "CALLBACK_URL": self._web_socket.callback_url,
                "DEAD_LETTER_QUEUE_URL": self._broadcasts.dead_letters.queue_url,
                "SLICE_QUEUE_URL": slices.queue.queue_url,
                "SLICE_QUEUE_ARN": slices.queue.queue_arn,
                "SLICE_DEAD_LETTER_QUEUE_URL": slices.dead_letters.queue_url,
                "POSTS_IN_FLIGHT": str(self._settings.posts_in_flight),
                "HTTP2": str(self._settings.http2).lower(),
                "POSTS_PER_SECOND": pace.posts_per_second,
                "POST_BURST": pace.post_burst,
                "OUTAGE_SECONDS": str(self._settings.outage_seconds),
                "REPLAY_SECONDS": str(self._settings.replay_seconds),
                "MAXIMUM_CONCURRENCY": str(self._settings.maximum_concurrency),
            },
            memory_mb=self._settings.function_memory_mb,
            timeout=timeout,
            # It hands slices over to itself; MAX_HOPS in broadcasting/ledger.py bounds that.
            recursive_loop=lambda_.RecursiveLoop.ALLOW,
        )
        self._grant_rows(function, "Query", "BatchGetItem", "BatchWriteItem")
        self._grant_ledger(function)
        self._web_socket.grant_post(function)
        for work in (self._broadcasts, slices):
            work.dead_letters.grant(function, "sqs:SendMessage")
            function.add_event_source(self._event_source(work))
        slices.queue.grant(function, "sqs:SendMessage")
        return function

    def _grant_rows(self, function: Function, *actions: str) -> None:
        """Let a function do this with the rows of connections, and with no ticket or denial."""
        function.add_to_role_policy(rows_statement(self._connections.table, CONNECTIONS, *actions))

    def _grant_ledger(self, function: Function) -> None:
        """Let a function keep the ledger; where nothing is replayed it deletes frames, too."""
        actions = ["GetItem", "PutItem", "Query", "UpdateItem"]
        if not self._settings.replay_seconds:
            actions.append("DeleteItem")
        self._ledger.table.grant(function, *(f"dynamodb:{action}" for action in actions))

    def _event_source(self, work: QueueWithDeadLetters) -> SqsEventSource:
        """Take one message per invocation: each broadcast has the whole of the time."""
        return SqsEventSource(
            work.queue,
            batch_size=1,
            max_concurrency=self._settings.maximum_concurrency,
            report_batch_item_failures=True,
        )

    def _put_out(self) -> None:
        outputs = {
            "WebSocketUrl": (self._web_socket.url, "Where clients connect"),
            "BroadcastQueueUrl": (
                self._broadcasts.queue.queue_url,
                "Where broadcasts are enqueued",
            ),
            "BroadcastQueueArn": (
                self._broadcasts.queue.queue_arn,
                "The same queue, for subscriptions of SNS and targets of EventBridge",
            ),
            "DeadLetterQueueUrl": (
                self._broadcasts.dead_letters.queue_url,
                "Where rejected broadcasts go, with the reason",
            ),
            "SliceQueueUrl": (self._slices.queue.queue_url, "Internal: where slices are enqueued"),
            "SliceDeadLetterQueueUrl": (
                self._slices.dead_letters.queue_url,
                "Where slices go that were given up or rejected",
            ),
            "LedgerTableName": (self._ledger.table.table_name, "The ledger of broadcasts"),
            "ConnectionsTableName": (self._connections.table.table_name, "The connections table"),
            "CallbackUrl": (self._web_socket.callback_url, "Where @connections is"),
            "Auth": (self._settings.auth, "Who may connect: open, iam, jwt or ticket"),
            "DenyList": (
                str(self._settings.deny_list).lower(),
                "Whether users can be kept out",
            ),
        }
        if self._settings.auth == "ticket":
            statement = rows_statement(self._connections.table, TICKETS, "PutItem")
            outputs |= {
                "TicketPolicyStatement": (
                    self.to_json_string(statement.to_statement_json()),
                    "For the policy of the application that writes tickets",
                )
            }
        for id_, (value, description) in outputs.items():
            CfnOutput(self, id_, value=value, description=description)
