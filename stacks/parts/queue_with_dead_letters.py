"""A queue of work with its dead-letter queue."""

from typing import cast

from aws_cdk import Aws, Duration, Fn, RemovalPolicy, Stack
from aws_cdk import aws_sqs as sqs
from constructs import Construct

MAX_RECEIVES = 20
"""How often a message is received before SQS moves it to the dead-letter queue, without a reason.

The number is high because a receive says little: a worker that died after it made progress, a
slice that another worker has leased and a write that failed all count. Slices are leased, so a
message that comes again repeats little. A hopeless message is rejected at its first receive, with
the reason.
"""

VISIBILITY_GRACE_SECONDS = 20
"""How many seconds after the function's timeout a message comes again and replaces a dead worker.

AWS advises six times the timeout, for functions that are throttled because SQS is polled faster
than they may run. The event source's maximum concurrency prevents that.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html
https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-scaling.html
"""

_MAX_MESSAGE_BYTES = 1_048_576
"""The most that SQS takes, and what the functions and the command line count on.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
"""

_RETENTION_DAYS = 14
"""The longest that SQS keeps a message, counted from when it was first sent: what SQS moves to
a dead-letter queue keeps its age.

https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/setting-up-dead-letter-queue-retention.html
"""


class QueueWithDeadLetters(Construct):
    """An encrypted queue that takes only TLS, and its dead-letter queue; both keep for 14 days.

    No other queue may have either for its dead-letter queue.
    """

    def __init__(
        self, scope: Construct, id_: str, *, function_timeout: Duration, keep: bool
    ) -> None:
        super().__init__(scope, id_)
        removal_policy = RemovalPolicy.RETAIN if keep else RemovalPolicy.DESTROY
        name = _unique_name(self)
        self.dead_letters = sqs.Queue(
            self,
            "DeadLetters",
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            max_message_size_bytes=_MAX_MESSAGE_BYTES,
            removal_policy=removal_policy,
            retention_period=Duration.days(_RETENTION_DAYS),
        )
        _allow_redrive_from(self.dead_letters, name)
        self.queue = sqs.Queue(
            self,
            "Queue",
            dead_letter_queue=sqs.DeadLetterQueue(
                max_receive_count=MAX_RECEIVES, queue=self.dead_letters
            ),
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            enforce_ssl=True,
            max_message_size_bytes=_MAX_MESSAGE_BYTES,
            queue_name=name,
            redrive_allow_policy=sqs.RedriveAllowPolicy(
                redrive_permission=sqs.RedrivePermission.DENY_ALL
            ),
            removal_policy=removal_policy,
            retention_period=Duration.days(_RETENTION_DAYS),
            visibility_timeout=Duration.seconds(
                function_timeout.to_seconds() + VISIBILITY_GRACE_SECONDS
            ),
        )


def _unique_name(scope: Construct) -> str:
    """Return a queue's name that is known before the queue is there, and used by no other stack.

    It ends in the stack's own unique id: the queues of an earlier stack of the same
    name may still be there, and its own must not collide with them.
    """
    unique = Fn.select(2, Fn.split("/", Aws.STACK_ID))
    return f"{Stack.of(scope).stack_name}-{scope.node.id.lower()}-{unique}"


def _allow_redrive_from(dead_letters: sqs.Queue, source_name: str) -> None:
    """Let one queue alone have this one for its dead-letter queue.

    It is told by its name: by reference, each of the two would have to be made before the other.
    """
    source_arn = Stack.of(dead_letters).format_arn(service="sqs", resource=source_name)
    made = cast("sqs.CfnQueue", dead_letters.node.default_child)
    made.redrive_allow_policy = {"redrivePermission": "byQueue", "sourceQueueArns": [source_arn]}
