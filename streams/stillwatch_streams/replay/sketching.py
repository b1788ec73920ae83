"""Sketches for what was read: in this process, or by others while this one detects.

A sketch depends on its text and the key alone, so where it is computed changes nothing, and steps come out in the order
in which they were read.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from collections import defaultdict, deque
from collections.abc import Callable, Container, Generator, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from itertools import chain
from multiprocessing.process import BaseProcess
from typing import Final, Protocol

import msgspec
from stillwatch_schemas.errors import SourceError, StillwatchError
from stillwatch_schemas.events import Sketch
from stillwatch_schemas.sketch import Sketcher

from stillwatch_streams.ingest import Ingest, Texts
from stillwatch_streams.replay.reader import Step
from stillwatch_streams.replay.subprocesses import deaf_from_birth, settle_in

AHEAD: Final = 32
"""Steps that wait beyond one for each process: so much that nobody idles, so little that memory stays small."""

TextPairs = Sequence[tuple[str | None, str | None]]


class Sketching(Protocol):
    """Gives the steps of a reader their sketches."""

    cpu_seconds: dict[int, float]
    """Processor time that other processes took for it, by process id."""

    def __call__(self, steps: Iterator[Step]) -> Generator[Step, None, None]:
        """The same steps in the same order; a SourceError comes after the last step."""
        ...


class Here:
    """In this process. `mine` are the partitions that matter here; None means all."""

    def __init__(self, ingest: Ingest, mine: Container[int] | None = None) -> None:
        self.cpu_seconds: dict[int, float] = {}
        self._ingest = ingest
        self._mine = mine

    def __call__(self, steps: Iterator[Step]) -> Generator[Step, None, None]:
        """Sketch each step as it is asked for."""
        for step in steps:
            wanted = [batch.items for home, batch in step.batches if self._mine is None or home in self._mine]
            self._ingest.sketch(chain.from_iterable(wanted))
            yield step


class Elsewhere:
    """In as many processes as there are jobs, while this one reads ahead."""

    def __init__(self, key: bytes, jobs: int) -> None:
        self.cpu_seconds: dict[int, float] = defaultdict(float)
        self._key = key
        self._jobs = jobs

    def __call__(self, steps: Iterator[Step]) -> Generator[Step, None, None]:
        """Read a few steps ahead, and hand each out once its sketches have come."""
        pool = ProcessPoolExecutor(
            self._jobs, multiprocessing.get_context("spawn"), initializer=_begin, initargs=(self._key,)
        )
        try:
            yield from self._ordered(pool, steps)
        except BrokenProcessPool as error:
            raise StillwatchError(
                "replay: a process that sketches texts was ended from outside, for example for want of memory."
                " Use fewer --jobs."
            ) from error
        finally:
            _dismiss(pool)

    def _ordered(self, pool: ProcessPoolExecutor, steps: Iterator[Step]) -> Iterator[Step]:
        under_way: deque[Callable[[], Step]] = deque()
        failure: SourceError | None = None
        try:
            for step in steps:
                under_way.append(self._begun(pool, step))
                if len(under_way) > self._jobs + AHEAD:
                    yield under_way.popleft()()
        except SourceError as error:
            failure = error
        while under_way:
            yield under_way.popleft()()
        if failure is not None:
            raise failure

    def _begun(self, pool: ProcessPoolExecutor, step: Step) -> Callable[[], Step]:
        """Hand the texts of a step to the pool; call the result to wait for it."""
        texts = Texts(step.events)
        with deaf_from_birth():  # the pool starts its processes as work comes in
            answer = pool.submit(_sketch, texts.bare) if texts.bare else None

        def end() -> Step:
            texts.settle(self._received(pool, answer) if answer else ())
            return step

        return end

    def _received(self, pool: ProcessPoolExecutor, answer: Future[tuple[int, bytes, float]]) -> list[Sketch | None]:
        while True:
            try:
                process, packed, cpu_seconds = answer.result(LOOK_AFTER_SECONDS)
            except TimeoutError:
                _end_if_one_died(pool)
            else:
                self.cpu_seconds[process] += cpu_seconds
                return _UNPACK.decode(packed)


def _end_if_one_died(pool: ProcessPoolExecutor) -> None:
    """When one process is dead all are ended, and the pool breaks."""
    if any(not process.is_alive() for process in _processes(pool)):
        _end_all(pool)


def _dismiss(pool: ProcessPoolExecutor) -> None:
    """Nobody waits for its answers any more: end its processes, whatever they are at, and with them the pool."""
    _end_all(pool)
    pool.shutdown(cancel_futures=True)


def _end_all(pool: ProcessPoolExecutor) -> None:
    """A process that dies while it writes its answer leaves the pool waiting for the rest of it, for ever.

    So our own end of the pipe is closed too: then the pool reads the end, and breaks.
    """
    for process in _processes(pool):
        process.kill()
    pool._result_queue._writer.close()  # type: ignore[attr-defined]  # noqa: SLF001 - the pool has no public way to it


def _processes(pool: ProcessPoolExecutor) -> list[BaseProcess]:
    return list((pool._processes or {}).values())  # noqa: SLF001 - the pool has no public way to look after them


LOOK_AFTER_SECONDS = 2.0
"""How long an answer is waited for before somebody looks whether its process lives."""

_PACK: Final = msgspec.msgpack.Encoder()
_UNPACK: Final = msgspec.msgpack.Decoder(list[Sketch | None])


class _Desk:
    """What one process of the pool keeps between two pieces of work."""

    sketcher: Sketcher


def _begin(key: bytes) -> None:
    settle_in()
    _Desk.sketcher = Sketcher(key)


def _sketch(texts: TextPairs) -> tuple[int, bytes, float]:
    """Who sketched many texts, their sketches, packed, and the processor time they took."""
    began = time.process_time()
    packed = _PACK.encode(_Desk.sketcher.sketch_many(texts))
    return os.getpid(), packed, time.process_time() - began
