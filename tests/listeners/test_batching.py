"""Batches: rows by clip, sizes by trying, nothing lost when memory runs out."""

import threading

import numpy as np
import pytest
import torch

from spectcount.designs import Pulses, draw
from spectcount.errors import UserError
from spectcount.listeners.scoring.batching import QUESTIONS_PER_ROW, BatchSize, rows_of, run
from spectcount.trials import Question


def test_rows_share_clips_and_lengths_stay_apart():
    long, short = draw(Pulses(duration_s=3.0), 1), draw(Pulses(duration_s=2.0), 2)
    clips = (long, short, long, long)
    asked = [Question(s, "count", wording=w) for w, s in enumerate(clips)]
    assert sorted(rows_of(asked)) == [[[0, 2, 3]], [[1]]]


def test_a_row_has_its_limit():
    clip = draw(Pulses(), 1)
    n = 2 * QUESTIONS_PER_ROW + 1
    asked = [Question(clip, "count", text=f"How many beeps? ({k})") for k in range(n)]
    assert [len(row) for (row_group) in rows_of(asked) for row in row_group] == [16, 16, 1]


def test_few_long_clips_go_through_at_once():
    """Eight rows of 30 s, two of 60 s, one of ten minutes: memory grows with the square."""
    for seconds, sizes in ((30, [9]), (60, [2, 2, 2, 2, 1]), (600, [1] * 9)):
        clips = [np.full(seconds * 16_000, k / 10, np.float32) for k in range(9)]
        groups = rows_of([Question(None, "count", waveform=clip) for clip in clips])
        assert [len(rows) for rows in groups] == sizes
        assert sorted(i for rows in groups for row in rows for i in row) == list(range(9))


class Device:
    """Fits `limit` rows at a time."""

    def __init__(self, limit):
        self.limit = limit
        self.done, self.sizes, self.refused = [], [], []

    def compute(self, rows, ready):
        if len(rows) > self.limit:
            self.refused.append(len(rows))
            raise torch.OutOfMemoryError("CUDA out of memory")
        assert ready == [2 * r for r in rows]
        self.sizes.append(len(rows))
        self.done += rows


def double(rows):
    return [2 * r for r in rows]


def test_the_size_doubles_while_it_fits_and_backs_off_where_it_does_not():
    device, size = Device(limit=40), BatchSize("cuda")
    run([list(range(300))], double, device.compute, size)
    assert sorted(device.done) == list(range(300))
    assert max(device.sizes) == 32
    assert size.rows == size.limit == 32


def test_what_did_not_fit_is_not_tried_again():
    """The batch that was taken ahead is cut too, and the limit never rises."""
    device, size = Device(limit=3), BatchSize("cuda")
    run([list(range(80))], double, device.compute, size)
    assert sorted(device.done) == list(range(80))
    assert device.refused == [16, 8, 4]
    assert size.limit == 2


def test_a_group_that_did_not_fit_is_asked_again_in_order():
    device = Device(limit=3)
    run([list(range(10)), list(range(10, 14))], double, device.compute, BatchSize("cpu"))
    assert device.done == list(range(14))


def test_one_row_that_does_not_fit_is_told():
    with pytest.raises(UserError, match="not even one clip"):
        run([[1, 2]], double, Device(limit=0).compute, BatchSize("cpu"))


def test_other_errors_are_not_taken_for_memory():
    def broken(rows, ready):
        raise RuntimeError("shape mismatch")

    with pytest.raises(RuntimeError, match="shape"):
        run([[1]], double, broken, BatchSize("cpu"))


def test_the_next_batch_is_prepared_while_one_is_computed():
    """`compute` of the first batch waits for the second batch's preparation."""
    second = threading.Event()

    def prepare(rows):
        if 8 in rows:
            second.set()
        return rows

    def compute(rows, ready):
        assert second.wait(timeout=20)

    run([list(range(16))], prepare, compute, BatchSize("cpu"))


def test_a_batch_never_mixes_groups():
    seen = []
    run(
        [[1, 2, 3], [4]],
        list,
        lambda rows, ready: seen.append(list(rows)),
        BatchSize("cuda"),
    )
    assert seen == [[1, 2, 3], [4]]
