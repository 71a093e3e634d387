"""Which modules of an unknown model are its audio encoder, projector and language model.

Read off the names: the language model is what lies beside the input embeddings; of all other
linear layers those of vision are left out, those with a projector's name are the projector, and
the rest is the encoder. The model is built without memory (on the meta device) for it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from spectcount.errors import UserError

SIGHT = re.compile(r"vision|visual|image|video|img")
SPEAKING = re.compile(r"talker|code2wav|vocoder|speech_decoder|audio_decoder|token2wav")
NOTHING = r"(?!)"
BRIDGE = re.compile(
    r"projector|projection|adapter|adaptor|connector|qformer|q_former|multi_modal|embed_audio"
    r"|bridge|aligner|proj_for"
)


@dataclass(frozen=True)
class Names:
    """Regular expressions over the modules of each part, `NOTHING` where the model has none."""

    encoder: str
    projector: str
    llm: str

    def targets(self, scope: str, model: str) -> str:
        """As `Family.lora_targets`; raises `UserError` where the scope has no module."""
        parts = {
            "encoder": (self.encoder, self.projector),
            "projector": (self.projector,),
            "llm": (self.llm,),
            "both": (self.encoder, self.projector, self.llm),
        }[scope]
        if all(part == NOTHING for part in parts):
            raise UserError(
                f"no module of {model} is known by its name to be of scope {scope}; choose another "
                "scope"
            )
        return rf"({'|'.join(parts)})"


def of(auto_class: str, config: Any) -> Names:
    """The names of the model that `auto_class` builds for `config`."""
    import transformers

    with torch.device("meta"):
        model = getattr(transformers, auto_class).from_config(config)
    linear = [n for n, m in model.named_modules() if isinstance(m, torch.nn.Linear)]
    named = {id(m): n for n, m in model.named_modules()}
    beside = named[id(model.get_input_embeddings())].rpartition(".")[0]
    head = named.get(id(model.get_output_embeddings()), "")
    spoken = [n for n in linear if re.match(rf"{re.escape(beside)}\.(\w+)\.\d+\.", n)]
    heard = [
        n
        for n in linear
        if n not in set(spoken) and n != head and not SIGHT.search(n) and not SPEAKING.search(n)
    ]
    bridge = [n for n in heard if BRIDGE.search(n)]
    return Names(
        encoder=_expression([n for n in heard if n not in set(bridge)]),
        projector=_expression(bridge),
        llm=_expression(spoken),
    )


def _expression(names: Sequence[str]) -> str:
    """One regular expression for all names, the numbers of layers left open."""
    kinds = {re.sub(r"\\\.\d+(?=\\\.|$)", r"\\.\\d+", re.escape(name)) for name in names}
    return "|".join(sorted(kinds)) or NOTHING
