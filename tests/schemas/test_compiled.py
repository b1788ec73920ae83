"""Compiled functions: they compute the same, changes are noticed wherever they are, and no cache is no failure."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from stillwatch_schemas.compiled import compiled, fingerprint, lean, lean_part, part

FACTOR = 3


@part
def scaled(value: int) -> int:
    return FACTOR * value


@compiled
def total(count: int) -> int:
    found = 0
    for value in range(count):
        found += scaled(value)
    return found


def test_a_compiled_function_computes_the_same() -> None:
    assert total(5) == 30


@lean_part
def next_to(values: NDArray[np.int64], at: int) -> int:
    return int(values[at + 1])


@lean
def steps(values: NDArray[np.int64]) -> int:
    found = 0
    for at in range(len(values) - 1):
        found += abs(next_to(values, at) - values[at])
    return found


def test_what_counts_no_references_computes_the_same_and_keeps_none() -> None:
    values = np.array([1, 4, 2])
    before = sys.getrefcount(values)
    assert steps(values) == 5
    assert sys.getrefcount(values) == before


def test_a_changed_constant_of_a_called_function_changes_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numba alone would answer with what it compiled before."""
    before = key_of(total)
    monkeypatch.setattr(sys.modules[__name__], "FACTOR", 4)
    assert key_of(total) != before


def test_a_changed_function_changes_the_key_of_its_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    before = key_of(total)
    monkeypatch.setattr(sys.modules[__name__], "scaled", part(lambda value: value + FACTOR))
    assert key_of(total) != before


def key_of(function: object) -> str:
    return fingerprint(function.py_func)  # type: ignore[attr-defined]  # Numba's own attribute


MODULE = """
from stillwatch_schemas.compiled import compiled

@compiled
def half(value):
    return value // 2

print(half(8), half.stats.cache_hits.total(), half.stats.cache_misses.total())
"""


def run(module: Path) -> str:
    """Output of a process that runs this file."""
    return subprocess.run([sys.executable, str(module)], capture_output=True, text=True, check=True).stdout.strip()


def test_the_second_process_finds_what_the_first_compiled(tmp_path: Path) -> None:
    module = tmp_path / "halves.py"
    module.write_text(MODULE)
    assert run(module) == "4 0 1"
    assert run(module) == "4 1 0"


TYPED_MODULE = """
from typing import NamedTuple
from stillwatch_schemas.compiled import compiled

class Pair(NamedTuple):
    left: int
    right: int

@compiled
def total(pair):
    return pair.left + pair.right

print(total(Pair(3, 4)), total.stats.cache_hits.total())
"""


def test_after_an_upgrade_that_renamed_a_type_the_cache_begins_anew(tmp_path: Path) -> None:
    """What was kept names the type: without care no process could start until somebody deletes the cache."""
    module = tmp_path / "totals.py"
    module.write_text(TYPED_MODULE)
    command = [sys.executable, "-c", "import totals"]
    outputs = []
    for text in (
        TYPED_MODULE,
        TYPED_MODULE,
        TYPED_MODULE.replace("Pair", "Couple"),
        TYPED_MODULE.replace("Pair", "Couple"),
    ):
        module.write_text(text)
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
        outputs.append(done.stdout.strip())
    assert outputs == ["7 0", "7 1", "7 0", "7 1"]


def test_where_nothing_can_be_kept_every_process_compiles(tmp_path: Path) -> None:
    """As in a container with a read-only file system."""
    module = tmp_path / "halves.py"
    module.write_text(MODULE)
    (tmp_path / "__pycache__").touch()  # no folder can be made here
    home = {"HOME": "/dev/null", "XDG_CACHE_HOME": "/dev/null"}
    found = subprocess.run(
        [sys.executable, str(module)], capture_output=True, text=True, check=True, env={**os.environ, **home}
    )
    assert found.stdout.startswith("4 0 ")
