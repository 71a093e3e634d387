"""An adapter's files held against a model, before anything is attached: where each tensor belongs.

peft sets layers by an adapter's configuration and fills them with what fits. Tensors whose names
changed between versions of transformers would stay behind without a word, and some options write
into the base. So every tensor is given its place by name, every place that the configuration asks
for needs its tensor, and options that change the base are refused.

Conventions: a *place* is a module's or tensor's name in the model as it was loaded, whatever
adapters lie on it by now. *Whole* tensors stand in for the base's own (`modules_to_save`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch

from spectcount.errors import UserError
from spectcount.listeners.checkpoints.files import json_object

PREFIX = "base_model.model."
"""What peft puts before the names of the model that it wraps."""
READ = frozenset(
    "r lora_alpha rank_pattern alpha_pattern use_rslora use_dora fan_in_fan_out lora_bias "
    "target_modules exclude_modules layers_to_transform layers_pattern modules_to_save".split()
)
"""Options that are honoured."""
UNUSED = frozenset(
    "peft_version task_type auto_mapping base_model_name_or_path revision inference_mode "
    "lora_dropout megatron_core qalora_group_size runtime_config loftq_config eva_config "
    "corda_config lora_ga_config".split()
)
"""Options that say nothing of the forward once an adapter is trained."""
CHECKED = frozenset({"peft_type", "bias", "init_lora_weights"})
PLAIN_STARTS = (True, False, None, "gaussian", "orthogonal", "eva")
"""Ways of drawing the first weights that leave the base alone."""
_LORA = re.compile(r"(?P<module>.+)\.(?P<part>lora_[A-Za-z_]+)(\.(?P<leaf>weight|bias))?")
_VECTOR = "lora_magnitude_vector"

Rename = Callable[[str], str]


@dataclass(frozen=True)
class Plan:
    """The tensors of an adapter: `lora` by (module, part, leaf), `whole` by the tensor's name, and
    the options of peft's LoraConfig that give the first their places."""

    name: str
    options: Mapping[str, Any]
    lora: Mapping[tuple[str, str, str], torch.Tensor]
    whole: Mapping[str, torch.Tensor]


@dataclass(frozen=True)
class Tree:
    """A model's modules and tensors (owner, attribute) by place."""

    modules: Mapping[str, torch.nn.Module]
    tensors: Mapping[str, tuple[torch.nn.Module, str]]


def tree_of(model: torch.nn.Module) -> Tree:
    """The model as it was loaded, seen through the layers of adapters."""
    modules: dict[str, torch.nn.Module] = {}
    for name, module in model.named_modules(remove_duplicate=False):
        parts = name.split(".")
        if not any(part.startswith("lora_") for part in parts):
            modules[".".join(p for p in parts if p != "base_layer")] = module
    tensors = {}
    for place, module in modules.items():
        lasting = module._buffers.keys() - module._non_persistent_buffers_set
        for leaf in [*module._parameters, *sorted(lasting)]:
            if getattr(module, leaf) is not None:
                tensors[f"{place}.{leaf}".lstrip(".")] = (module, leaf)
    return Tree(modules, tensors)


def plan_of(folder: Path, model: torch.nn.Module) -> Plan:
    """The plan of the adapter in `folder` on `model`. Raises `UserError` where an option changes
    the base, a tensor has no place, or a place has no tensor."""
    from safetensors.torch import load_file

    config = json_object(folder / "adapter_config.json")
    refuse_options(folder.name, config)
    tensors = load_file(folder / "adapter_model.safetensors")
    try:
        return _Reading(folder.name, config, tree_of(model)).plan(tensors)
    except re.error as error:
        raise misfit(
            folder.name,
            f"{error.pattern!r} in its configuration is no regular expression ({error})",
        ) from None


def refuse_options(name: str, config: Mapping[str, Any]) -> None:
    """Raise `UserError` where an adapter cannot lie beside others on an unchanged base."""
    kind, bias = config.get("peft_type"), config.get("bias") or "none"
    start = config.get("init_lora_weights", True)
    other = [key for key in config.keys() - READ - UNUSED - CHECKED if config[key]]
    if kind != "LORA":
        what = f"is of type {kind}, and only LORA is read"
    elif bias != "none":
        what = f"has bias={bias!r}: it would write into the base's own biases"
    elif start not in PLAIN_STARTS:
        what = f"has init_lora_weights={start!r}: it belongs to a base that this way changed"
    elif other:
        what = f"has {min(other)}={config[min(other)]!r}, which is not read here"
    else:
        return
    raise UserError(
        f"adapter {name} {what}; merge it into its base (`merge_and_unload`, `save_pretrained`), "
        "and ask the merged model by path:/FOLDER"
    )


def misfit(name: str, why: str) -> UserError:
    """The refusal of an adapter, with the reason."""
    return UserError(f"adapter {name} does not fit: {why}; choose an adapter made on this base")


# Names of other versions: from a place to how it was written.


def _same(name: str) -> str:
    return name


def _version_4(name: str) -> str:
    """transformers 4: a wrapped language model beside encoder and projector."""
    if name.startswith("lm_head"):
        return f"language_model.{name}"
    if name.startswith("model.language_model."):
        return name.replace("model.language_model.", "language_model.model.", 1)
    return name.removeprefix("model.")


def _unwrapped(name: str) -> str:
    return name.removeprefix("model.")


def _omni_4(name: str) -> str:
    """Omni in transformers 4: the language model is called `model`."""
    if name.startswith("model.language_model."):
        return name.replace("model.language_model.", "model.", 1)
    return name.removeprefix("model.")


def _with_voice(rename: Rename) -> Rename:
    """Omni models loaded with their voice."""
    return lambda name: f"thinker.{rename(name)}"


def _text_model(rename: Rename) -> Rename:
    return lambda name: rename(name).replace("language_model", "text_model")


RENAMES: tuple[Rename, ...] = (
    _same,
    _version_4,
    _unwrapped,
    _omni_4,
    _with_voice(_same),
    _with_voice(_omni_4),
    *(_text_model(rename) for rename in (_same, _version_4, _unwrapped)),
)


class _Reading:
    """One adapter against one model."""

    def __init__(self, name: str, config: Mapping[str, Any], tree: Tree):
        self.name, self.config, self.tree = name, config, tree
        self.modules = _written(tree.modules)
        self.tensors = _written(tree.tensors)
        self.used: list[Rename] = [_same]

    def plan(self, stored: Mapping[str, torch.Tensor]) -> Plan:
        lora: dict[tuple[str, str, str], torch.Tensor] = {}
        written: dict[str, str] = {}
        others: dict[str, str] = {}
        for key in sorted(stored):
            match = _LORA.fullmatch(key.removeprefix(PREFIX)) if key.startswith(PREFIX) else None
            if match and match["module"] in self.modules:
                place, _ = self.modules[match["module"]]
                leaf = match["leaf"] or ("weight" if match["part"] == _VECTOR else "")
                if (place, match["part"], leaf) in lora:
                    raise misfit(self.name, f"{key} is there twice, by two names")
                lora[place, match["part"], leaf] = stored[key]
                written[place] = match["module"]
            else:
                others[key] = self._place_of_whole(key)
        self._refuse_strays(others, bool(lora))
        self.used = _ways(written, self.modules)
        whole = self._whole({place: stored[key] for key, place in others.items()})
        self._refuse_gaps(written, whole)
        return Plan(self.name, self._options(lora, written), lora, whole)

    def _place_of_whole(self, key: str) -> str:
        """Place of a tensor that is no part of LoRA; "" for none."""
        if not key.startswith(PREFIX) or ".lora_" in key:
            return ""
        inner = re.sub(r"\.(base_layer|original_module|modules_to_save)(?=\.)", "", key)
        written = inner.removeprefix(PREFIX)
        return self.tensors[written][0] if written in self.tensors else ""

    def _refuse_strays(self, others: Mapping[str, str], any_lora: bool) -> None:
        """Raise where a tensor has no place: all of them by a wrong prefix, or the first."""
        strays = [key for key, place in others.items() if not place]
        if not strays:
            return
        if len(strays) == len(others) and not any_lora:
            prefixes = map(self._wrong_prefix, strays)
            wrong = next((prefix for prefix in prefixes if prefix is not None), None)
            if wrong is not None:
                raise misfit(
                    self.name,
                    f"none of its {len(strays)} tensors has a place: their names begin with "
                    f"{wrong!r}, not with {PREFIX!r} as peft writes them ({strays[0]}); rename "
                    "them",
                )
        raise misfit(
            self.name,
            f"{len(strays)} of its tensors have no place in this model, the first is {strays[0]}",
        )

    def _wrong_prefix(self, key: str) -> str | None:
        """The text before a module's name that the model knows."""
        match = _LORA.fullmatch(key)
        parts = match["module"].split(".") if match else []
        for n in range(len(parts)):
            rest = ".".join(parts[n:])
            if rest in self.modules or any(m.endswith(f".{rest}") for m in self.modules):
                return "".join(f"{part}." for part in parts[:n])
        return None

    def _whole(self, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The tensors that stand in for the base's own. A copy of the base's own is left out; any
        other that no option announces is refused."""
        announced = self._announced()
        whole = {}
        for place, tensor in tensors.items():
            owner, leaf = self.tree.tensors[place]
            base = getattr(owner, leaf)
            if base.shape != tensor.shape:
                raise misfit(
                    self.name, f"{place} has shape {list(tensor.shape)}, here {list(base.shape)}"
                )
            if place in announced:
                whole[place] = tensor
            elif not torch.equal(base.detach().cpu(), tensor.to(base.dtype)):
                raise misfit(self.name, f"it has other values of the base's own {place}")
        return whole

    def _announced(self) -> set[str]:
        """Tensors of the modules that the configuration keeps whole, by peft's rule."""
        ends = tuple(self.config.get("modules_to_save") or ())
        names = [
            place
            for written, (place, _) in self.modules.items()
            if ends and written and written.endswith(ends)
        ]
        return {t for t in self.tree.tensors if t.startswith(tuple(f"{n}." for n in names))}

    def _refuse_gaps(self, written: Mapping[str, str], whole: Iterable[str]) -> None:
        """Raise where the configuration asks for a place that no tensor is for."""
        gaps = sorted(self._targets() - written.keys()) + sorted(self._announced() - set(whole))
        if gaps:
            raise misfit(
                self.name,
                f"{len(gaps)} places that its configuration names have no tensor in its file, the "
                f"first is {gaps[0]}",
            )

    def _targets(self) -> set[str]:
        """Places of the layers that the configuration targets, in the names that the file uses."""
        from peft.tuners.tuners_utils import check_target_module_exists

        keys = (
            "target_modules",
            "exclude_modules",
            "layers_to_transform",
            "layers_pattern",
            "modules_to_save",
        )
        target = SimpleNamespace(**{key: self.config.get(key) for key in keys})
        target.target_parameters = None
        if target.target_modules == "all-linear":
            target.target_modules = r"(?!(.*\.)?lm_head$).*"
        layers = [n for n, m in self.tree.modules.items() if n and _adaptable(m)]
        return {
            place
            for place in layers
            if target.target_modules
            and any(check_target_module_exists(target, r(place)) for r in self.used)
        }

    def _options(
        self, lora: Mapping[tuple[str, str, str], torch.Tensor], written: Mapping[str, str]
    ) -> dict[str, Any]:
        """LoraConfig's options that name every layer by its place, with its own rank and scale."""
        ranks, alphas = {}, {}
        for (place, part, _), tensor in lora.items():
            if part in ("lora_A", "lora_embedding_A"):
                ranks[place] = self._rank(written[place], place, tensor.shape[0])
                alphas[place] = self._of(written[place], "alpha_pattern", "lora_alpha")
        return {
            "r": next(iter(ranks.values()), 1),
            "lora_alpha": next(iter(alphas.values()), 1),
            "rank_pattern": {re.escape(place): rank for place, rank in ranks.items()},
            "alpha_pattern": {re.escape(place): alpha for place, alpha in alphas.items()},
            "target_modules": sorted(written),
            **{
                key: bool(self.config.get(key))
                for key in ("use_rslora", "use_dora", "fan_in_fan_out", "lora_bias")
            },
        }

    def _of(self, written: str, pattern: str, default: str) -> Any:
        """A layer's value: by the first pattern that its written name ends with, as peft has it."""
        for key, value in (self.config.get(pattern) or {}).items():
            if re.match(rf"(.*\.)?({key})$", written):
                return value
        return self.config.get(default, 8)

    def _rank(self, written: str, place: str, stored: int) -> int:
        configured = self._of(written, "rank_pattern", "r")
        if configured != stored:
            raise misfit(
                self.name, f"{place} has rank {stored} in its file and {configured} by its settings"
            )
        return stored


def _written(places: Iterable[str]) -> dict[str, tuple[str, Rename]]:
    """Every known way of writing a place -> (the place, the way); today's comes first."""
    known = list(places)
    table: dict[str, tuple[str, Rename]] = {}
    for rename in RENAMES:
        for place in known:
            table.setdefault(rename(place), (place, rename))
    return table


def _ways(written: Mapping[str, str], table: Mapping[str, tuple[str, Rename]]) -> list[Rename]:
    """The way in which a file's names (place -> as written) were written; several for a mixture."""
    for rename in RENAMES:
        if all(rename(place) == name for place, name in written.items()):
            return [rename]
    return list(dict.fromkeys(table[name][1] for name in written.values()))


def _adaptable(module: torch.nn.Module) -> bool:
    """True for modules that LoRA may lie on: layers with a matrix of their own."""
    kinds = (torch.nn.Linear, torch.nn.Embedding, torch.nn.modules.conv._ConvNd)
    return isinstance(module, kinds)
