"""One post with boto3, as fast as boto3 fairly allows: for both of its strategies."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from bench.compare.job import Job
from bench.compare.measurement import Outcome

if TYPE_CHECKING:
    from mypy_boto3_apigatewaymanagementapi import ApiGatewayManagementApiClient

_BY_STATUS: dict[int, Outcome] = {410: "gone", 429: "throttled"}


def make_poster(job: Job) -> Callable[[str], Outcome]:
    """Return what posts the job's frame to one connection; threads may share it."""
    client: ApiGatewayManagementApiClient = boto3.client(
        "apigatewaymanagementapi",
        endpoint_url=job.url,
        verify=job.ca,
        region_name=job.region,
        aws_access_key_id=job.access_key,
        aws_secret_access_key=job.secret_key,
        aws_session_token=job.session_token,
        config=Config(
            max_pool_connections=job.in_flight,
            retries={"total_max_attempts": 1},
            parameter_validation=False,
        ),
    )
    data = job.frame.encode()

    def post(connection_id: str) -> Outcome:
        try:
            client.post_to_connection(ConnectionId=connection_id, Data=data)
        except ClientError as error:
            return outcome_of(error)
        except BotoCoreError:
            return "failed"
        return "delivered"

    return post


def outcome_of(error: ClientError) -> Outcome:
    """Return what an answer that is not 200 means."""
    return _BY_STATUS.get(error.response["ResponseMetadata"]["HTTPStatusCode"], "failed")
