"""Sketching in other processes: one that dies must not be waited for."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool

import pytest
from stillwatch_streams.replay.sketching import Elsewhere
from support.dying import die_while_answering


def test_a_process_that_dies_in_the_middle_of_its_answer_breaks_the_pool() -> None:
    """Without a look at the processes the pool would wait for the rest of the answer for ever."""
    pool = ProcessPoolExecutor(2, multiprocessing.get_context("spawn"))
    answer = pool.submit(die_while_answering, 1)
    with pytest.raises(BrokenProcessPool):
        Elsewhere(b"0123456789abcdef", 2)._received(pool, answer)  # type: ignore[arg-type] - the answer never comes
    pool.shutdown()
