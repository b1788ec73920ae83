"""Where the project's own files are, and the installer that make put there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def uv() -> str:
    """Return the installer's path; skips the test where there is none."""
    bundled = ROOT / ".uv" / "bin" / "uv"
    found = str(bundled) if bundled.exists() else shutil.which("uv")
    if found is None:
        pytest.skip("needs uv: run the tests through make")
    return found


def copy_build_context(target: Path) -> Path:
    """Copy what `.dockerignore` lets into an image build, and nothing else."""
    target.mkdir(parents=True)
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for name in allowed:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__", "*.pyc"))
        else:
            shutil.copy(source, target / name)
    return target
