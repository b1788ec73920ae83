"""Run a program that must not outlive the one who started it.

Used as a script, never imported by the service: `python tied.py PARENT_PID PROGRAM ARGUMENT...` asks the kernel for
SIGKILL on the parent's death and then becomes the program, so the pid stays the same. A broker started by a test that
is killed with SIGKILL then goes too. Elsewhere than on Linux the request is not available and the program simply runs.

The kernel watches the *thread* that started the child: start it from a thread that lives as long as the child should.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> None:
    """Become the program; exit 1 if the parent died before we could ask."""
    parent, *command = arguments
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != int(parent):
            sys.exit(1)
    os.execv(command[0], command)  # noqa: S606 - no shell is the point; the caller names an absolute path


if __name__ == "__main__":
    main(sys.argv[1:])
