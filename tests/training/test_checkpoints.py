"""Checkpoints: only whole ones count, whatever happened to the newest."""

from __future__ import annotations

import pytest

from spectcount.training.trainer import (
    METRIC_EVERY,
    keep_recent,
    last_complete,
    mark_complete,
    mean_loss,
)


def checkpoint(folder, step):
    made = folder / f"checkpoint-{step}"
    made.mkdir(parents=True)
    for name in ("adapter_model.safetensors", "optimizer.pt", "trainer_state.json"):
        (made / name).write_bytes(bytes(range(200)) * 5)
    mark_complete(made)
    return made


DAMAGES = {
    "cut": lambda p: (p / "optimizer.pt").write_bytes(b"x"),
    "other bytes": lambda p: (p / "trainer_state.json").write_bytes(bytes(1000)),
    "missing file": lambda p: (p / "adapter_model.safetensors").unlink(),
    "empty file": lambda p: (p / "optimizer.pt").write_bytes(b""),
    "no marker": lambda p: (p / "complete").unlink(),
    "broken marker": lambda p: (p / "complete").write_text("{"),
    "empty marker": lambda p: (p / "complete").write_text(""),
    "one file more": lambda p: (p / "rng_state.pth").write_bytes(b"x"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_newest_gives_way_to_the_one_before(tmp_path, damage):
    older, newest = checkpoint(tmp_path, 90), checkpoint(tmp_path, 100)
    DAMAGES[damage](newest)
    assert last_complete(tmp_path) == older
    assert not newest.exists()


def test_the_newest_whole_one_counts_by_its_step(tmp_path):
    assert last_complete(tmp_path / "nothing") is None
    checkpoint(tmp_path, 20)
    newest = checkpoint(tmp_path, 100)
    assert last_complete(tmp_path) == newest


def test_the_loss_told_does_not_depend_on_where_a_run_was_resumed():
    history = []
    for step in range(1, 24):
        history.append({"step": step, "loss": float(step)})
        history.append({"step": step, "held_out": {}})
        keep_recent(history)
    assert mean_loss(history) == pytest.approx(21.0)
    assert sum("loss" in entry for entry in history) == METRIC_EVERY
    assert sum("held_out" in entry for entry in history) == 23
