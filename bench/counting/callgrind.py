"""Counts the instructions of each workload with Valgrind's callgrind: the same on a busy machine as on an idle one."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from counting.workloads import WORKLOADS

BENCH = Path(__file__).resolve().parents[1]
PATIENCE_SECONDS = 600.0
POLL_SECONDS = 0.05


class CallgrindError(Exception):
    """Why there is no count."""


def available() -> bool:
    """Whether this machine has Valgrind."""
    return shutil.which("valgrind") is not None and shutil.which("callgrind_control") is not None


def count() -> dict[str, int]:
    """Instructions by workload, `yardstick` among them; about two minutes."""
    with tempfile.TemporaryDirectory(prefix="stillwatch-count-") as name:
        folder = Path(name)
        environment = _environment(folder)
        _compile(environment)
        process = _start(folder, environment)
        try:
            return {name: _count_one(process, folder, name) for name in ("yardstick", *WORKLOADS)}
        finally:
            process.kill()
            process.wait()


def _environment(folder: Path) -> dict[str, str]:
    """The same machine code everywhere: no processor's own instructions, no hash seeds, no threads."""
    return os.environ | {
        "PYTHONHASHSEED": "0",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONWARNINGS": "ignore",
        "NUMBA_CPU_NAME": "generic",
        "NUMBA_CPU_FEATURES": "",
        "NUMBA_CACHE_DIR": str(folder / "compiled"),
    }


def _compile(environment: dict[str, str]) -> None:
    """Fill the cache of compiled functions: the compiler under Valgrind would take minutes."""
    program = "from counting.workloads import WORKLOADS\nfor make in WORKLOADS.values(): make()()"
    subprocess.run([sys.executable, "-c", program], cwd=BENCH, env=environment, check=True)  # noqa: S603 - our own


def _start(folder: Path, environment: dict[str, str]) -> subprocess.Popen[bytes]:
    """The child under Valgrind; instrumentation is off until a workload is ready, for imports would take minutes."""
    command = ["valgrind", "--tool=callgrind", "--instr-atstart=no", f"--callgrind-out-file={folder}/out"]
    child = [sys.executable, "-m", "counting.child", str(folder)]
    with (folder / "log").open("wb") as log:
        return subprocess.Popen(  # noqa: S603 - our own program
            [*command, *child], cwd=BENCH, env=environment, stdout=log, stderr=log
        )


def _count_one(process: subprocess.Popen[bytes], folder: Path, name: str) -> int:
    _wait_for(process, folder, f"{name}.ready")
    _control(process, "--instr=on")
    _control(process, "--zero")
    (folder / f"{name}.go").touch()
    _wait_for(process, folder, f"{name}.done")
    _control(process, f"--dump={name}")
    _control(process, "--instr=off")
    total = _total(folder, name)
    (folder / f"{name}.counted").touch()
    return total


def _wait_for(process: subprocess.Popen[bytes], folder: Path, what: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not (folder / what).exists():
        if process.poll() is not None or time.monotonic() > deadline:
            raise CallgrindError(f"{what} did not come: {(folder / 'log').read_text()[-2000:]}")
        time.sleep(POLL_SECONDS)


def _control(process: subprocess.Popen[bytes], order: str) -> None:
    done = subprocess.run(  # noqa: S603 - Valgrind's own program
        ["callgrind_control", order, str(process.pid)],  # noqa: S607 - wherever it was installed
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    if done.returncode or "OK" not in done.stdout:
        raise CallgrindError(f"callgrind_control {order}: {done.stdout}{done.stderr}")


def _total(folder: Path, name: str) -> int:
    """The total of the dump that was asked for under this name."""
    for path in folder.glob("out.*"):
        text = path.read_text()
        if f"desc: Trigger: {name}" in text or name in text.partition("positions:")[0]:
            found = re.search(r"^(?:totals|summary): (\d+)", text, re.MULTILINE)
            if found:
                return int(found.group(1))
    raise CallgrindError(f"no dump of {name} among {sorted(path.name for path in folder.iterdir())}")
