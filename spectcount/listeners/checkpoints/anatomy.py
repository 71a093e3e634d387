"""A model taken apart without its weights: built on the meta device from its configuration alone,
so that an 8 B model is counted in a second and no memory.

Conventions: a *part* is `encoder`, `projector`, `llm`, `embeddings` (tokens in and out) or `other`
(a vision tower, say); counts are of parameters; widths are of hidden states.
"""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from spectcount.errors import UserError
from spectcount.listeners.families import Family

PARTS = ("encoder", "projector", "llm", "embeddings", "other")


@dataclass(frozen=True)
class Linear:
    """A linear layer that LoRA may adapt: its part, sizes, and the number of its layer."""

    part: str
    inputs: int
    outputs: int
    layer: str


@dataclass(frozen=True)
class Anatomy:
    """`parameters` of each part; `linears` that LoRA may adapt; `kept_whole`: names of the parts
    with linear layers that 4 bits leave alone; `vocabulary`: how many tokens have logits;
    `key_values`: width of keys and values together, per layer of the language model."""

    parameters: Mapping[str, int]
    linears: tuple[Linear, ...]
    kept_whole: tuple[str, ...]
    vocabulary: int
    key_values: int

    @property
    def total(self) -> int:
        return sum(self.parameters.values())

    @property
    def in_four_bits(self) -> int:
        """Parameters that a 4-bit language model holds in 4 bits."""
        return sum(x.inputs * x.outputs for x in self.linears if x.part == "llm")

    def of(self, part: str) -> tuple[Linear, ...]:
        return tuple(x for x in self.linears if x.part == part)

    def n_layers(self, part: str) -> int:
        return len({x.layer for x in self.of(part)})

    def width(self, part: str) -> int:
        """Width of the part's hidden states: the smallest input of its linear layers."""
        return min((x.inputs for x in self.of(part)), default=0)

    def inner(self, part: str) -> int:
        """Width of the part's feed-forward layers."""
        return max((max(x.inputs, x.outputs) for x in self.of(part)), default=0)

    def adapted(self, scope: str) -> tuple[Linear, ...]:
        """The linear layers that an adapter of `scope` changes."""
        parts = {
            "encoder": ("encoder", "projector"),
            "projector": ("projector",),
            "llm": ("llm",),
            "both": ("encoder", "projector", "llm"),
        }[scope]
        return tuple(x for x in self.linears if x.part in parts)


def anatomy_of(folder: Path, family: Family) -> Anatomy:
    """The model in `folder`, by its config.json."""
    return _anatomy((folder / "config.json").read_text(encoding="utf-8"), family)


def anatomy_of_config(config: Mapping[str, Any], family: Family) -> Anatomy:
    """A model by the keys of its configuration, as a card has them."""
    return _anatomy(json.dumps(config), family)


@functools.lru_cache(maxsize=32)
def _anatomy(config: str, family: Family) -> Anatomy:
    return take_apart(build(json.loads(config), family), family)


def build(config: Mapping[str, Any], family: Family) -> torch.nn.Module:
    """The model of a configuration on the meta device. Raises `UserError` where transformers
    cannot build it."""
    import transformers

    options = {k: v for k, v in config.items() if k not in ("model_type", "auto_map")}
    try:
        full = transformers.AutoConfig.for_model(config["model_type"], **options)
        kind = family.model_class()
        with torch.device("meta"):
            if hasattr(kind, "_model_mapping"):
                return kind.from_config(full)
            return kind(_part_for(full, kind.config_class))
    except (ImportError, KeyError, ValueError, AttributeError, TypeError) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(
            f"a {config.get('model_type', 'model')} cannot be built here ({reason}); install what "
            "is missing, or a newer transformers"
        ) from error


def _part_for(config: Any, wanted: type) -> Any:
    """`config`, or the part of it that is of the class `wanted` (Omni's thinker)."""
    if isinstance(config, wanted):
        return config
    part = next((value for value in vars(config).values() if isinstance(value, wanted)), None)
    if part is None:
        raise ValueError(f"its configuration has no {wanted.__name__}")
    return part


def take_apart(model: torch.nn.Module, family: Family) -> Anatomy:
    """Parameters by part, and the linear layers of each."""
    patterns = {
        part: re.compile(rf".*({getattr(family, part)})")
        for part in ("encoder", "projector", "llm")
    }
    linears = {n: m for n, m in model.named_modules() if isinstance(m, torch.nn.Linear)}
    owner = {
        n: next((p for p, pattern in patterns.items() if pattern.fullmatch(n)), "") for n in linears
    }
    counted = dict.fromkeys(PARTS, 0)
    regions = dict(_regions(model, owner, ""))
    tokens = _tokens(model)
    for name, weight in model.named_parameters():
        part = "embeddings" if id(weight) in tokens else _region(name, regions)
        counted[part] += weight.numel()
    parts = tuple(
        Linear(owner[n], m.in_features, m.out_features, _layer(n))
        for n, m in linears.items()
        if owner[n]
    )
    output: Any = model.get_output_embeddings()
    first = re.compile(r".*\.0\.self_attn\.[kv]_proj")
    return Anatomy(
        counted,
        parts,
        tuple(_whole(model, owner, "")),
        output.weight.shape[0],
        sum(m.out_features for n, m in linears.items() if owner[n] == "llm" and first.fullmatch(n)),
    )


def _tokens(model: Any) -> set[int]:
    """The weights that are tables of tokens: in, out, and Gemma 3n's per layer."""
    tables = [model.get_input_embeddings(), model.get_output_embeddings()]
    tables += [m for n, m in model.named_modules() if n.endswith("embed_tokens_per_layer")]
    return {id(m.weight) for m in tables if m is not None}


def _inside(name: str, owner: Mapping[str, str]) -> set[str]:
    """The parts that have linear layers under the module `name`."""
    return {p for n, p in owner.items() if p and (not name or f"{n}.".startswith(f"{name}."))}


def _regions(
    module: torch.nn.Module, owner: Mapping[str, str], name: str
) -> Iterator[tuple[str, str]]:
    """(module, part): the largest modules that belong to one part."""
    inside = _inside(name, owner)
    if len(inside) <= 1:
        yield name, next(iter(inside), "other")
        return
    for child, inner in module.named_children():
        yield from _regions(inner, owner, f"{name}.{child}".strip("."))


def _region(parameter: str, regions: Mapping[str, str]) -> str:
    return next((p for n, p in regions.items() if parameter.startswith(f"{n}.")), "other")


def _whole(module: torch.nn.Module, owner: Mapping[str, str], name: str) -> Iterator[str]:
    """The largest modules with linear layers, none of them the language model's own."""
    inside = {p for n, p in owner.items() if not name or f"{n}.".startswith(f"{name}.")}
    if not inside:
        return
    if "llm" not in inside:
        yield name
        return
    for child, inner in module.named_children():
        yield from _whole(inner, owner, f"{name}.{child}".strip("."))


def _layer(name: str) -> str:
    """The first numbered layer that a module lies in."""
    match = re.match(r"(.*?\.\d+)\.", name)
    return match.group(1) if match else name
