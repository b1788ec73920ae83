"""HyperLogLog counts within its error, whatever the order, and keeps owners apart."""

from __future__ import annotations

import numpy as np
import pytest
from stillwatch_models import distinct
from stillwatch_schemas.compiled import compiled


def counted(values: np.ndarray, owner: np.ndarray | None = None, owners: int = 1) -> np.ndarray:
    registers = np.zeros((owners, distinct.REGISTERS), np.uint8)
    add_all(registers, np.zeros(len(values), np.intp) if owner is None else owner, values)
    return registers


@compiled
def add_all(registers: np.ndarray, owner: np.ndarray, values: np.ndarray) -> None:
    for i in range(len(values)):
        distinct.add(registers[owner[i]], values[i])


@pytest.mark.parametrize(("n", "error"), [(1, 0.03), (5, 0.15), (30, 0.25), (300, 0.4), (5_000, 0.4), (200_000, 0.4)])
def test_the_estimate_is_near(n: int, error: float) -> None:
    """Three standard errors of 13 %; hashes are fixed, so this does not flicker."""
    for start in (0, 10**9, 2**51):
        estimate = distinct.estimate(counted(np.arange(start, start + n)))[0]
        assert abs(estimate / n - 1) <= error


def test_the_mean_error_is_small() -> None:
    estimates = [distinct.estimate(counted(np.arange(k * 10_000, k * 10_000 + 1_000)))[0] for k in range(60)]
    assert abs(np.mean(estimates) / 1_000 - 1) < 0.05
    assert np.std(estimates) / 1_000 < 0.2


@pytest.mark.parametrize("most", [2, 8, 46])
def test_what_is_summed_is_exact(most: int) -> None:
    """As NumPy has it, which adds up in another order."""
    registers = np.random.default_rng(most).integers(0, most + 1, (200, 2, distinct.REGISTERS), np.uint8)[:, 1]
    inverse, empty = np.empty(200), np.empty(200, np.int64)
    distinct.summed(registers, inverse, empty)
    assert np.array_equal(inverse, np.exp2(-registers.astype(np.float64)).sum(axis=1))
    assert np.array_equal(empty, (registers == 0).sum(axis=1))


def test_nothing_counts_nothing() -> None:
    assert distinct.estimate(np.zeros((2, distinct.REGISTERS), np.uint8)).tolist() == [0.0, 0.0]


def test_repeats_and_order_do_not_matter() -> None:
    values = np.random.default_rng(1).integers(0, 2**52, 500)
    once = counted(values)
    again = counted(np.concatenate([values[::-1], values]))
    assert (once == again).all()


def test_adding_never_lowers_an_estimate() -> None:
    registers, last = counted(np.arange(0)), -1.0
    for start in range(0, 2_000, 50):
        registers_before = registers.copy()
        add_all(registers, np.zeros(50, np.intp), np.arange(start, start + 50))
        assert (registers >= registers_before).all()
        assert distinct.estimate(registers)[0] >= 0.9 * last  # the two formulas meet with a small step
        last = distinct.estimate(registers)[0]


def test_owners_are_kept_apart() -> None:
    values, owner = np.arange(60), np.repeat([0, 2], [10, 50])
    estimates = distinct.estimate(counted(values, owner, owners=3))
    assert estimates[1] == 0.0
    assert estimates[0] < 15
    assert estimates[2] > 30


def test_a_groups_sketch_counts_within_its_error() -> None:
    assert distinct.size_of(b"") == 0.0
    for n in (1, 10, 100, 1_000, 20_000):
        kept = b""
        for part in range(4):  # written down and taken up again on the way
            kept = distinct.sketch_of((f"a{i}" for i in range(part * n // 4, (part + 1) * n // 4)), kept)
        assert distinct.size_of(kept) == pytest.approx(n, rel=0.12)
        assert len(kept) < 400


def test_sketches_of_two_sets_merge_into_that_of_both() -> None:
    one = distinct.sketch_of(f"a{i}" for i in range(600))
    two = distinct.sketch_of(f"a{i}" for i in range(400, 1_000))
    assert distinct.size_of(distinct.merged(one, two)) == pytest.approx(1_000, rel=0.15)
    assert distinct.merged(b"", one) == one


def test_a_groups_sketch_is_the_same_bytes_on_every_machine_and_day() -> None:
    kept = distinct.sketch_of(["a", "b"], distinct.sketch_of(["c"]))
    assert kept == distinct.sketch_of(["a", "b"], distinct.sketch_of(["c"]))
    assert kept.hex() == "02010709030803006f19dc062f823b040aff8004"
