"""Small JSON files of models and adapters, which anybody may have written, cut or emptied.

Conventions: a broken file is refused with a `UserError` that names it; where many are listed, the
broken one is skipped and named once in the log, and the others stay.
"""

from __future__ import annotations

import functools
import json
import logging
from pathlib import Path
from typing import Any

from spectcount import documents
from spectcount.errors import UserError

MAX_BYTES = 20_000_000
"""An index of shards names every tensor of a model."""
_log = logging.getLogger(__name__)


def json_object(path: Path) -> dict[str, Any]:
    """The mapping in a JSON file; raises `UserError` where it holds none."""
    text = documents.read_text(path, str(path), MAX_BYTES)
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        why = str(error)[:100] if text.strip() else "it is empty"
        raise UserError(
            f"{path} is not JSON ({why}); it was cut short or damaged: get it again, or remove its "
            "folder"
        ) from None
    if not isinstance(data, dict):
        raise UserError(f"{path} holds no JSON object; get it again, or remove its folder")
    return data


def text_of(data: dict[str, Any], key: str) -> str:
    """A text of a mapping; "" where there is none."""
    value = data.get(key)
    return value if isinstance(value, str) else ""


@functools.lru_cache(maxsize=1000)
def skip(what: str, why: str) -> None:
    """Say once that something is left out, and why."""
    _log.warning("skipped %s: %s", what, why)
