"""aiobotocore: all posts are gathered at once, and a semaphore limits those in flight.

It pins a botocore of its own, so it runs in an environment of its own (make bench-setup).
"""

import asyncio
import sys

from aiobotocore.config import AioConfig  # type: ignore[import-not-found]  # see above
from aiobotocore.session import get_session  # type: ignore[import-not-found]
from botocore.exceptions import BotoCoreError, ClientError

from bench.compare.job import Job
from bench.compare.measure import Meter
from bench.compare.measurement import Outcome

_BY_STATUS: dict[int, Outcome] = {410: "gone", 429: "throttled"}


async def run(job: Job) -> None:
    """Do the job and print the measurement."""
    options = {
        "endpoint_url": job.url,
        "verify": job.ca,
        "region_name": job.region,
        "aws_access_key_id": job.access_key,
        "aws_secret_access_key": job.secret_key,
        "aws_session_token": job.session_token,
        "config": AioConfig(
            max_pool_connections=job.in_flight,
            retries={"total_max_attempts": 1},
            parameter_validation=False,
        ),
    }
    data = job.frame.encode()
    places = asyncio.Semaphore(job.in_flight)
    meter = Meter("aiobotocore-gather", job)
    async with get_session().create_client("apigatewaymanagementapi", **options) as client:

        async def post(connection_id: str) -> Outcome:
            async with places:
                try:
                    await client.post_to_connection(ConnectionId=connection_id, Data=data)
                except ClientError as error:
                    status = error.response["ResponseMetadata"]["HTTPStatusCode"]
                    return _BY_STATUS.get(status, "failed")
                except BotoCoreError:
                    return "failed"
                return "delivered"

        async def noted_post(connection_id: str) -> None:
            meter.note(await post(connection_id))

        await asyncio.gather(*map(post, job.warm_up_audience))
        meter.begin()
        await asyncio.gather(*map(noted_post, job.audience))
        meter.finish()


if __name__ == "__main__":
    asyncio.run(run(Job.from_json(sys.argv[1])))
