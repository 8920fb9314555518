"""What the operator's guide has to paste works on the local AWS."""

import re
import shlex
from collections.abc import Callable
from typing import Any

import pytest

from crier.deployed.deployment import Deployment
from crier.deployed.producer import enqueue
from crier.local.local_aws import ACCESS_KEY_ID, ACCOUNT, REGION, SECRET_ACCESS_KEY
from crier.paths import ROOT
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(120)

GUIDE = (ROOT / "docs" / "operator" / "running.md").read_text()
TOPIC_ARN = f"arn:aws:sns:{REGION}:{ACCOUNT}:alarms"


@pytest.fixture
def aws(deployment: Deployment, shell: Callable[[str], Any]) -> Callable[[str, str, str], Any]:
    """Runs the guide's one call of an operation, with a placeholder filled in."""
    assert deployment.endpoint_url is not None
    keys = f"AWS_ACCESS_KEY_ID={ACCESS_KEY_ID} AWS_SECRET_ACCESS_KEY={SECRET_ACCESS_KEY}"
    program = f"{keys} .venv-aws-cli/bin/aws --region {REGION} --endpoint-url "
    program += deployment.endpoint_url

    def run(operation: str, name: str, value: str) -> Any:
        joined = GUIDE.replace("\\\n", " ")
        (call,) = re.findall(rf"^aws ({operation} .*)$", joined, re.MULTILINE)
        return shell(f"{program} {call.replace(name, shlex.quote(value))}")

    return run


def test_alarm_of_the_guide_watches_the_metric_of_the_stack(
    deployment: Deployment, aws: Callable[[str, str, str], Any]
) -> None:
    """It takes a missing metric, as in a minute without broadcasts, for a good one."""
    aws("cloudwatch put-metric-alarm", "TOPIC_ARN", TOPIC_ARN)

    (alarm,) = deployment.client("cloudwatch").describe_alarms()["MetricAlarms"]

    assert (alarm["Namespace"], alarm["MetricName"]) == ("Crier", "RoundsLost")
    assert alarm["Dimensions"] == [{"Name": "service", "Value": "crier-prod"}]
    assert alarm["AlarmActions"] == [TOPIC_ARN]
    assert alarm["TreatMissingData"] == "notBreaching"


async def test_purge_of_the_guide_empties_the_dead_letter_queue(
    deployment: Deployment, aws: Callable[[str, str, str], Any]
) -> None:
    """What was dealt with is gone."""
    sqs, url = deployment.client("sqs"), deployment.dead_letter_queue_url
    enqueue(deployment, {"mesage": 1})
    await until(lambda: _visible(sqs, url))

    aws("sqs purge-queue", "DEAD_LETTER_QUEUE_URL", url)

    assert _visible(sqs, url) == 0


def _visible(sqs: Any, url: str) -> int:
    """Return how many messages a queue has."""
    name = "ApproximateNumberOfMessages"
    asked = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])
    return int(asked["Attributes"][name])
