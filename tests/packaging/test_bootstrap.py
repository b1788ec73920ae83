"""A machine that can't run `make` gets one clear sentence, not a traceback."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from support.project import ROOT


def bootstrap(tmp_path: Path, python: str | None) -> subprocess.CompletedProcess[str]:
    """Run the bootstrap in an empty folder with a PATH on which `python3` is the given shell script, if any."""
    binaries = tmp_path / "bin"
    binaries.mkdir()
    for tool in ("bash", "rm", "mkdir", "ln"):
        (binaries / tool).symlink_to(Path("/bin") / tool)
    if python is not None:
        (binaries / "python3").write_text(f"#!/bin/bash\n{python}\n")
        (binaries / "python3").chmod(0o755)
    return subprocess.run(
        [str(binaries / "bash"), str(ROOT / "tools" / "bootstrap.sh"), "0.13.9"],
        cwd=tmp_path,
        env={"PATH": str(binaries)},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


@pytest.mark.parametrize(
    ("python", "sentence"),
    [
        (None, "no python3 on PATH. Install Python 3.11 or newer"),
        ('case "$*" in --version) echo Python 3.9.2;; *) exit 1;; esac', "Python 3.9.2 is too old"),
        ('case "$*" in *version_info*) exit 0;; *) exit 1;; esac', "sudo apt install python3-venv"),
    ],
    ids=["no Python", "an old Python", "neither ensurepip nor pip"],
)
def test_what_is_missing_is_said_with_its_remedy(tmp_path: Path, python: str | None, sentence: str) -> None:
    done = bootstrap(tmp_path, python)
    assert done.returncode == 1
    assert sentence in done.stderr
    assert not (tmp_path / ".uv" / "bin").exists()
