"""boto3 in a thread pool, its connection pool as large as the pool of threads."""

import sys
import time
from concurrent.futures import ThreadPoolExecutor

from bench.compare.job import Job
from bench.compare.measure import Meter
from bench.compare.measurement import Outcome
from bench.strategies.boto3_posts import make_poster


def run(job: Job) -> None:
    """Do the job and print the measurement."""
    post = make_poster(job)

    def timed_post(connection_id: str) -> tuple[Outcome, float]:
        return post(connection_id), time.perf_counter()

    with ThreadPoolExecutor(job.in_flight) as pool:
        for _ in pool.map(timed_post, job.warm_up_audience):
            pass
        meter = Meter("boto3-threads", job)
        meter.begin()
        for outcome, at in pool.map(timed_post, job.audience):
            meter.note(outcome, at)
        meter.finish()


if __name__ == "__main__":
    run(Job.from_json(sys.argv[1]))
