"""Run one peer: `python -m peers.child JOB`, JOB being a `Job` as JSON. It runs until it is killed."""

from __future__ import annotations

import importlib
import sys

import msgspec

from peers.job import Job, Meter, pin


def main() -> None:
    """Pin the process first, so that libraries size their thread pools for one core; then become the peer."""
    job = msgspec.json.decode(sys.argv[1], type=Job)
    pin(job.core)
    importlib.import_module(f"peers.{job.peer}").run(job, Meter(job.records))


if __name__ == "__main__":
    main()
