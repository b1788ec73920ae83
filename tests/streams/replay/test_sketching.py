"""Sketching in other processes: one that dies must not be waited for."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from threading import Thread

import pytest
from stillwatch_streams.replay import sketching
from stillwatch_streams.replay.sketching import Elsewhere
from support.dying import die_while_answering


def test_a_process_that_dies_in_the_middle_of_its_answer_breaks_the_pool() -> None:
    """Without a look at the processes the pool would wait for the rest of the answer for ever."""
    pool = ProcessPoolExecutor(2, multiprocessing.get_context("spawn"))
    answer = pool.submit(die_while_answering, 1)
    with pytest.raises(BrokenProcessPool):
        Elsewhere(b"0123456789abcdef", 2)._received(pool, answer)  # type: ignore[arg-type] - the answer never comes
    pool.shutdown()


def test_nor_does_it_hold_up_the_end_of_a_run_that_failed_for_another_reason() -> None:
    pool = ProcessPoolExecutor(1, multiprocessing.get_context("spawn"))
    pool.submit(die_while_answering, 1)
    (process,) = multiprocessing.active_children()
    process.join(60)
    ending = Thread(target=sketching._dismiss, args=(pool,), daemon=True)
    ending.start()
    ending.join(60)
    assert not ending.is_alive()
