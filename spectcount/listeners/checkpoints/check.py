"""A model in memory taken stock of: what it is, how it is asked, whether it hears."""

from __future__ import annotations

from spectcount.configs import Json
from spectcount.listeners.checkpoints import files
from spectcount.listeners.loaded import LoadedModel
from spectcount.listeners.scoring import gate


def check(loaded: LoadedModel) -> Json:
    """The verdict of gate and parity check on a model, as plain data."""
    canary, answers = gate.canary_logits(loaded), gate.canary_answers(loaded)
    return {
        "folder": str(loaded.folder),
        "hub": files.hub_id(loaded.folder) or None,
        "revision": files.revision_of(loaded.folder) or None,
        "family": loaded.family.name,
        "path": loaded.path,
        "why_stock": loaded.why_stock or None,
        "scoring": loaded.scoring.words,
        "thinks": loaded.thinks or None,
        **answers,
        "dtype": str(loaded.dtype).removeprefix("torch."),
        "device": str(loaded.device),
        "longest_clip_s": loaded.longest_s,
        "prompt": _prompt(loaded, gate.CANARY),
        "hears": True,
        "silence_against_tone": (canary[0] - canary[1]).abs().max().item(),
        "in_memory_gb": loaded.bytes / 1e9,
        "fingerprint": loaded.fingerprint,
    }


def _prompt(loaded: LoadedModel, question: str) -> str:
    """A question as the model reads it, its clip as a placeholder."""
    ids = loaded.family.prompt_ids(question, 1, loaded.processor)
    return str(loaded.processor.tokenizer.decode(ids))
