"""Questions -> batches: clips of one length together, questions about one clip in one row, the
next batch's clips synthesised while the model computes, the size found by trying.

Conventions: a batch is a list of rows, a row a list of indices into the questions.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext
from typing import Any, TypeVar

import torch

from spectcount.errors import UserError
from spectcount.trials import Question

T = TypeVar("T")
QUESTIONS_PER_ROW = 16
LONG_SAMPLES = 30 * 16_000
LONG_ROWS = 8
"""So many rows of clips so long go through at once, of longer ones fewer: a row's memory grows with
the square of its length, and where it runs out on a CPU the whole process is killed."""
FIRST_SIZE = {"cpu": 8, "cuda": 16, "mps": 8}
LARGEST_SIZE = {"cpu": 8, "cuda": 512, "mps": 32}
"""On a CPU larger batches only fall out of its caches; a constant size also makes the same rounding
in every session."""
MOST_SAMPLES = {"cpu": 40 * 16_000}
"""So much sound goes through a CPU at once: eight clips of 5 s, four of 10 s, which take a third
less time each than eight do."""
Turn = Callable[[], AbstractContextManager[Any]]
"""What is entered for each batch: see `scorer.turns`."""


def rows_of(
    questions: Sequence[Question], most_samples: int | None = None
) -> list[list[list[int]]]:
    """Rows [group][row][question's index]: one clip a row, `QUESTIONS_PER_ROW` at most; a group's
    clips are of one length, and few where that is long; no more than `most_samples` together."""
    lengths: dict[int, dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))
    for i, question in enumerate(questions):
        lengths[n_samples(question)][question.clip_hash].append(i)
    groups = []
    for length, clips in lengths.items():
        rows = [
            members[start : start + QUESTIONS_PER_ROW]
            for members in clips.values()
            for start in range(0, len(members), QUESTIONS_PER_ROW)
        ]
        most = len(rows)
        if length > LONG_SAMPLES:
            most = max(1, LONG_ROWS * LONG_SAMPLES**2 // length**2)
        if most_samples is not None:
            most = max(1, min(most, most_samples // max(length, 1)))
        groups += [rows[start : start + most] for start in range(0, len(rows), most)]
    return groups


def n_samples(question: Question) -> int:
    """Length of the question's clip, without making it."""
    if question.stimulus is not None:
        return question.stimulus.n_samples
    return len(question.audio())


class BatchSize:
    """Number of rows that go through the model at once: doubles while it fits, halves when memory
    runs out, and never again reaches what did not fit, nor more than `most_s` seconds of work."""

    def __init__(self, device: str):
        self.rows = FIRST_SIZE.get(device, 8)
        self.limit = LARGEST_SIZE.get(device, 8)
        self.most_samples = MOST_SAMPLES.get(device)
        self.most_s: float | None = None

    def worked(self, rows: int, seconds: float = 0.0) -> None:
        """`rows` went through: try twice as many next time, where that takes no longer than it
        may."""
        if self.most_s is not None and seconds > self.most_s:
            self.rows = max(1, int(rows * self.most_s / seconds))
        elif self.most_s is not None and 2 * seconds > self.most_s:
            self.rows = rows
        elif rows >= self.rows:
            self.rows = min(2 * self.rows, self.limit)

    def failed(self, rows: int) -> None:
        """`rows` did not fit. Raises `UserError` where a single row does not."""
        if rows <= 1:
            raise UserError(
                "not even one clip fits into the device's memory beside the model; give shorter "
                "clips, load the model in 4 bits, or free the device"
            )
        self.rows = self.limit = max(1, min(rows // 2, self.limit))


def run(
    groups: Sequence[Sequence[T]],
    prepare: Callable[[Sequence[T]], Any],
    compute: Callable[[Sequence[T], Any], None],
    size: BatchSize,
    turn: Turn = nullcontext,
) -> None:
    """`compute(rows, prepare(rows))` over all rows of all groups, batches never across groups.
    The next batch is prepared by a thread meanwhile, each waits for its `turn`. Out of memory: the
    batch is asked again in halves."""
    with ThreadPoolExecutor(1, "clips") as pool:
        pending = [list(group) for group in groups if group]
        ahead = _take(pending, size.rows)
        future = pool.submit(prepare, ahead) if ahead else None
        while ahead and future is not None:
            rows, ready = ahead, future.result()
            ahead = _take(pending, size.rows)
            future = pool.submit(prepare, ahead) if ahead else None
            if len(rows) > size.limit:  # taken before the last batch did not fit
                run([rows], prepare, compute, size, turn)
                continue
            with turn():
                start = time.perf_counter()
                fits = _fits(compute, rows, ready)
                seconds = time.perf_counter() - start
            if fits:
                size.worked(len(rows), seconds)
            else:
                size.failed(len(rows))
                _free()
                run([rows], prepare, compute, size, turn)


def _fits(compute: Callable[[Sequence[T], Any], None], rows: Sequence[T], ready: Any) -> bool:
    """`compute(rows, ready)`; False where memory ran out. The error, which holds on to all that
    was in memory when it came, is gone before anything is asked again."""
    try:
        compute(rows, ready)
    except RuntimeError as error:
        if not _is_memory(error):
            raise
        return False
    return True


def _take(pending: list[list[T]], n: int) -> list[T]:
    """The next `n` rows of the first group that has any."""
    while pending and not pending[0]:
        pending.pop(0)
    if not pending:
        return []
    taken, pending[0] = pending[0][:n], pending[0][n:]
    return taken


def _is_memory(error: Exception) -> bool:
    return isinstance(error, torch.OutOfMemoryError) or "out of memory" in str(error).lower()


def _free() -> None:
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
