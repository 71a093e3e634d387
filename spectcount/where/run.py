"""The work of a run of kind "ladder": ask the clips, keep the states, read them.

*Conventions*: states lie in the run's folder, `states/NUMBER-BATCH.npz`, float16, one file a batch
of groups, whole at once, so that a run that was killed asks nothing twice. They are removed at the
end unless they are to be kept; what they say stays in `ladder.json`.
"""

from __future__ import annotations

import io
import os
import shutil
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from spectcount.configs import Json, LadderConfig
from spectcount.context import RunContext
from spectcount.errors import UserError
from spectcount.listeners.base import Listener
from spectcount.probing.plan import plan_from_dict
from spectcount.trials import Question, normalise
from spectcount.where import ladder
from spectcount.where.clips import Clips, clips_of
from spectcount.where.ladder import Heard

BATCH = 32
"""Groups between two looks at whether to stop, and of one file."""


def execute(context: RunContext, listeners: Mapping[str, Listener]) -> Json:
    """The ladder of a run of kind "ladder"; the run's summary. Raises `UserError` for listeners
    without stages, and for clips that make no ladder."""
    config = LadderConfig.from_json(context.config)
    models = {name: model_of(name, listener) for name, listener in listeners.items()}
    trials = context.ledger.trials(config.source)
    clips = clips_of(plan_from_dict(config.plan), trials, config.pairs, config.cells)
    total = len(clips.questions) * len(models)
    context.log(f"{len(clips.groups)} groups of {clips.size} clips, {len(models)} listener(s)")
    heard: dict[str, Heard] = {}
    for number, (name, model) in enumerate(models.items()):
        states = _heard(context, number, model, clips, total)
        if states is None:
            return {"done": 0, "total": total, "stopped": True, "sentences": []}
        heard[name] = states
    result = ladder.ladder_of(clips, heard, config.source, config.seed, _ideal(clips))
    write(context.folder / ladder.FILE, ladder.to_json(result).encode())
    if not config.keep:
        shutil.rmtree(_folder(context), ignore_errors=True)
    context.progress(total, total)
    return {
        "done": total,
        "total": total,
        "stopped": False,
        "listeners": {name: {"fingerprint": each.fingerprint} for name, each in heard.items()},
        "sentences": result.sentences,
    }


def model_of(name: str, listener: Listener) -> Any:
    """The listener, if it is a model that hears; raises `UserError` for others."""
    if not hasattr(listener, "loaded"):
        raise UserError(
            f"{name} has no stages to read: it is no model; take an audio language model, such as "
            "tiny-lalm"
        )
    return listener


def _folder(context: RunContext) -> Path:
    return context.folder / "states"


def _heard(context: RunContext, number: int, model: Any, clips: Clips, total: int) -> Heard | None:
    """All states of one listener; None where a stop was asked for."""
    from spectcount.listeners import stages

    names, parts = stages.stage_names(model.loaded), []
    mark = model.fingerprint
    for start in range(0, len(clips.groups), BATCH):
        if context.should_stop():
            return None
        questions = [q for group in clips.groups[start : start + BATCH] for q in group]
        path = _folder(context) / f"{number}-{start // BATCH}.npz"
        part = _stored(path, mark, questions, len(names))
        if part is None:
            states = stages.states_of(model, questions)
            part = [*states.vectors, normalise(states.log_probs)]
            _keep(path, mark, questions, part)
        parts.append(part)
        context.progress(number * len(clips.questions) + start * clips.size, total)
    *vectors, log_probs = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return Heard(mark, names, tuple(vectors), log_probs)


def _stored(
    path: Path, mark: str, questions: list[Question], n_stages: int
) -> list[np.ndarray] | None:
    """A batch's vectors and log-probabilities where this very listener was asked these very
    questions; None else."""
    try:
        with np.load(path, allow_pickle=False) as file:
            same = [str(file["fingerprint"]), *map(str, file["keys"])]
            if same != [mark, *(q.key for q in questions)]:
                return None
            return [file[f"stage_{k}"] for k in range(n_stages)] + [file["log_probs"]]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None


def _keep(path: Path, mark: str, questions: list[Question], part: list[np.ndarray]) -> None:
    out = io.BytesIO()
    stages = {f"stage_{k}": vectors for k, vectors in enumerate(part[:-1])}
    keys = np.array([q.key for q in questions])
    np.savez(out, fingerprint=np.array(mark), keys=keys, log_probs=part[-1], **stages)  # type: ignore[arg-type]
    write(path, out.getvalue())


def write(path: Path, content: bytes) -> None:
    """Write a file, whole at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.{os.getpid()}")
    part.write_bytes(content)
    part.replace(path)


def _ideal(clips: Clips) -> np.ndarray | None:
    """The ideal observer's scores of the clips; None where it has none."""
    from spectcount.listeners.observers.ideal import IdealObserver

    if clips.counted:
        return None
    try:
        log_probs = IdealObserver().score(clips.questions).log_probs
    except UserError:
        return None
    return np.asarray(log_probs[:, 0] - log_probs[:, 1])
