"""The listener that a user types: `[silence:]MODEL[+OPTION...][@ADAPTER]`, or a formula.

MODEL is a name (shipped, or a folder under `home/models`), `path:/any/folder`, or an id of the hub
with its commit, `OWNER/NAME#COMMIT`; OPTION is one of `OPTIONS`, such as `4bit` or `bf16`; ADAPTER
is a name (shipped, or a run's), or a path or an id of the hub, written as a model's. A formula is
`ideal`, `dsp`, `first`, `silence` (the embedded model in silence) or `sim:NAME=VALUE,...`.

Conventions: `str(ListenerSpec.parse(text)) == text`; nothing is looked up here.
"""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import Any

from spectcount.errors import UserError

PATH = "path:"
SILENCE = "silence"
SIMULATED = "sim:"
FORMULAS = ("ideal", "dsp", "first", SILENCE)
OPTIONS: dict[str, dict[str, Any]] = {
    "float32": {"dtype": "float32"},
    "bf16": {"dtype": "bfloat16"},
    "fp16": {"dtype": "float16"},
    "4bit": {"four_bit": True},
    "eager": {"attention": "eager"},
    "sdpa": {"attention": "sdpa"},
    "flash": {"attention": "flash_attention_2"},
    "spread": {"spread": True},
    "prefix": {"replies": "prefix"},
}
"""What may follow a model's name, and the fields of `LoadOptions` that it sets."""

_SILENCED = f"{SILENCE}:"
_HUB_ADAPTER = re.compile(r"(?P<head>.+)@(?P<adapter>[^/@#]+/[^/@#]+#[0-9A-Za-z]*)")
_SLASHED_ADAPTER = re.compile(r"(?P<head>[^@]+)@(?P<adapter>[^/@]+/[^/@]+)")


@dataclass(frozen=True)
class ListenerSpec:
    """A parsed spec: the bare MODEL (or a formula), the words of its options, its adapter ("" for
    none), and whether it is asked about silence instead of the clips."""

    model: str
    options: tuple[str, ...] = ()
    adapter: str = ""
    silenced: bool = False

    @classmethod
    def parse(cls, text: str | ListenerSpec) -> ListenerSpec:
        """The spec in a text. Raises `UserError` for what is no text, and where no adapter follows
        the '@'; whether its parts are known is another question."""
        if isinstance(text, ListenerSpec):
            return text
        if not isinstance(text, str):
            raise UserError(
                f"{str(text)[:40]!r} is no listener's name; write MODEL or MODEL@ADAPTER"
            )
        inner = text.removeprefix(_SILENCED)
        silenced = inner != text
        head, adapter = _split_adapter(inner, text)
        if inner.startswith(SIMULATED):
            return cls(inner, silenced=silenced)
        model, *words = head.split("+")
        if head.startswith(PATH):  # a folder's name may have a '+' of its own
            while words and words[0] not in OPTIONS:
                model = f"{model}+{words.pop(0)}"
        return cls(model, tuple(words), adapter, silenced)

    def __str__(self) -> str:
        head = "+".join([self.model, *self.options])
        whole = f"{head}@{self.adapter}" if self.adapter else head
        return f"{_SILENCED}{whole}" if self.silenced else whole

    @property
    def base(self) -> ListenerSpec:
        """This spec without its adapter."""
        return dataclasses.replace(self, adapter="")

    @property
    def hearing(self) -> ListenerSpec:
        """This spec without the silence."""
        return dataclasses.replace(self, silenced=False)

    @property
    def is_simulated(self) -> bool:
        """True for a simulated listener that hears."""
        return self.model.startswith(SIMULATED) and not self.silenced

    @property
    def is_formula(self) -> bool:
        """True where no model answers; of a silenced listener, where none would."""
        return self.model.startswith(SIMULATED) or str(self.hearing) in FORMULAS

    @property
    def load_options(self) -> dict[str, Any]:
        """Fields of `LoadOptions`; raises `UserError` for an unknown option."""
        self.refuse_unknown_options()
        return {name: value for word in self.options for name, value in OPTIONS[word].items()}

    def refuse_unknown_options(self) -> None:
        """Raise `UserError` naming the first option that is none."""
        unknown = [word for word in self.options if word not in OPTIONS]
        if unknown:
            raise UserError(
                f"{str(self)!r} has an unknown option {unknown[0]!r}; give some of "
                f"{', '.join(OPTIONS)}"
            )


def _split_adapter(text: str, whole: str) -> tuple[str, str]:
    """(MODEL with its options, ADAPTER or ""). A path may have an '@' of its own. Raises
    `UserError`, naming the `whole` spec, where no adapter follows the '@'."""
    head, at, path = text.partition(f"@{PATH}")
    if at:
        adapter = f"{PATH}{path}" if path.strip() else ""
    elif match := (_HUB_ADAPTER if text.startswith(PATH) else _SLASHED_ADAPTER).fullmatch(text):
        head, adapter = match["head"], match["adapter"]
    else:
        head, at, adapter = text.rpartition("@")
        if not at or "/" in adapter:
            return text, ""
    if not adapter:
        start = whole.removesuffix(text)
        raise UserError(f"{whole!r} names no adapter after '@'; write {start}{head}@ADAPTER")
    return head, adapter
