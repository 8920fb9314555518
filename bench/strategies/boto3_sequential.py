"""The loop: boto3, one post after another."""

import sys

from bench.compare.job import Job
from bench.compare.measure import Meter
from bench.strategies.boto3_posts import make_poster


def run(job: Job) -> None:
    """Do the job and print the measurement."""
    post = make_poster(job)
    for connection_id in job.warm_up_audience:
        post(connection_id)
    meter = Meter("boto3-sequential", job)
    meter.begin()
    for connection_id in job.audience:
        meter.note(post(connection_id))
    meter.finish()


if __name__ == "__main__":
    run(Job.from_json(sys.argv[1]))
