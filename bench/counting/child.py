"""The process that is counted: `python -m counting.child FOLDER`.

Makes each workload ready, says so with a file, waits for leave, runs it, says so. Files and short sleeps, because
Valgrind's control program wakes a process only between its instructions.
"""

from __future__ import annotations

import gc
import sys
import time
from pathlib import Path

from counting.workloads import WORKLOADS, yardstick

POLL_SECONDS = 0.02


def main() -> None:
    """Run every workload, the yardstick first."""
    folder = Path(sys.argv[1])
    for name, make in {"yardstick": yardstick, **WORKLOADS}.items():
        make()()
        run = make()
        gc.collect()
        gc.disable()
        (folder / f"{name}.ready").touch()
        while not (folder / f"{name}.go").exists():
            time.sleep(POLL_SECONDS)
        run()
        (folder / f"{name}.done").touch()
        while not (folder / f"{name}.counted").exists():
            time.sleep(POLL_SECONDS)
        gc.enable()


if __name__ == "__main__":
    main()
