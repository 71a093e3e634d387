"""A run whose folder is removed while it works."""

from __future__ import annotations

import shutil

import pytest

from spectcount.errors import UserError
from spectcount.jobs.context import JobContext
from spectcount.store import Store


def test_a_run_whose_folder_is_removed_ends_with_a_sentence(tmp_path):
    store = Store(tmp_path / "spectcount.sqlite")
    run = store.create_run("probe", {}, state="running")
    context = JobContext(run, store)
    assert not context.should_stop()
    shutil.rmtree(run.folder)
    context._looked_at = 0.0
    with pytest.raises(UserError, match="was removed while it worked"):
        context.should_stop()
