"""Run one peer: `python -m peers.child JOB`, JOB being a `Job` as JSON. It runs until it is killed."""

from __future__ import annotations

import gc
import importlib
import sys

import msgspec
from stillwatch_streams.worker_process import GC_THRESHOLDS

from peers.job import Job, Meter, pin


def main() -> None:
    """Pin the process first, so that libraries size their thread pools for one core; then become the peer.

    Stillwatch relaxes the garbage collector when it starts; every peer gets the same.
    """
    job = msgspec.json.decode(sys.argv[1], type=Job)
    pin(job.core)
    peer = importlib.import_module(f"peers.{job.peer}")
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
    peer.run(job, Meter(job))


if __name__ == "__main__":
    main()
