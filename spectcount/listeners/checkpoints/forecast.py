"""Forecast of the memory that a model will need, before it is loaded and before it is tuned.

Weights are counted exactly (see `anatomy`). What is kept besides them is worked out from the
sizes of the layers: for scoring the widest moment (front end, a layer with its mask, or logits);
for tuning what each layer keeps for the way back, and 16 bytes per weight of the adapter (itself,
its gradient and the two moments of Adam, all float32). `TOLERANCE` covers what is not counted.
Checked against the tensors that autograd keeps, for every family (tests).

Conventions: bytes unless a name says GB (10^9 bytes); a clip's length in seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from spectcount.listeners.checkpoints.anatomy import Anatomy
from spectcount.params import Declared, param

BYTES = {"float32": 4.0, "bfloat16": 2.0, "float16": 2.0}
NF4_BYTES = 0.5 + 1 / 64 + 4 / (64 * 256)
"""Per weight: half a byte, a scale of one byte for 64 weights, one of four for 256 scales."""
TOLERANCE = 1.1
CUDA_CONTEXT = 0.6e9
"""What CUDA and its libraries take before the first tensor."""
FRAMES_PER_S = 50
"""Positions of the encoder."""
TOKENS_PER_S = 25
"""Audio tokens of the language model: the most that a family here has."""
TEXT_TOKENS = 96
"""Prompt and answers."""
WINDOW_S = 30.0
MEL_BYTES_PER_S = 0.6e6
"""Of a clip in the front end: windows, their spectra and powers, 100 a second."""
ANSWER_TOKENS = 8
CONVOLUTION = 20.0
"""Widths that a conformer's convolution and its attention in blocks keep, as measured."""
LOGITS_AT_ONCE = 64e6


@dataclass(frozen=True)
class Workload(Declared):
    """Work that a model is to do."""

    dtype: str = param("bfloat16", "Number format of the weights.", choices=tuple(BYTES))
    four_bit: bool = param(False, "Whether the language model is in 4 bits.")
    batch: int = param(1, "Clips at once.", low=1, high=4096)
    seconds: float = param(30.0, "Length of the clips.", low=0.1, high=1200, unit="s")
    tune: bool = param(False, "Whether an adapter learns.")
    scope: str = param("both", "What it changes.", choices=("encoder", "projector", "llm", "both"))
    rank: int = param(8, "Its rank.", low=1, high=1024)
    checkpointing: bool = param(False, "Whether each layer is computed again on the way back.")


@dataclass(frozen=True)
class Forecast:
    """`weights` by part, `adapter` (with gradients and the optimiser's moments), `activations`,
    `reserve` (what is not counted): bytes. `parameters` by part; `trained`: weights that learn."""

    workload: Workload
    parameters: Mapping[str, int]
    weights: Mapping[str, float]
    adapter: float
    activations: float
    reserve: float
    trained: int

    @property
    def bytes(self) -> float:
        return sum(self.weights.values()) + self.adapter + self.activations + self.reserve

    @property
    def gb(self) -> float:
        return self.bytes / 1e9

    def to_dict(self) -> dict[str, Any]:
        """Plain data, in GB."""
        return {
            "workload": self.workload.to_dict(),
            "parameters": dict(self.parameters),
            "trained": self.trained,
            "weights_gb": {part: size / 1e9 for part, size in self.weights.items()},
            "adapter_gb": self.adapter / 1e9,
            "activations_gb": self.activations / 1e9,
            "reserve_gb": self.reserve / 1e9,
            "total_gb": self.gb,
        }


def forecast(
    anatomy: Anatomy, workload: Workload, *, staged: bool = True, device: str = "cuda"
) -> Forecast:
    """Memory that `workload` needs on `device`. A family that is not `staged` hears whole windows
    and computes all logits."""
    weights = _weights(anatomy, workload)
    adapted = anatomy.adapted(workload.scope) if workload.tune else ()
    trained = sum(workload.rank * (linear.inputs + linear.outputs) for linear in adapted)
    cuda = device.startswith("cuda")
    if workload.tune:
        kept_bytes = _kept(anatomy, workload, staged, cuda)
    else:
        kept_bytes = _scoring(anatomy, workload, staged)
    context = CUDA_CONTEXT if cuda else 0.0
    reserve = context + (TOLERANCE - 1) * (sum(weights.values()) + kept_bytes)
    return Forecast(
        workload, anatomy.parameters, weights, 16.0 * trained, kept_bytes, reserve, trained
    )


def _weights(anatomy: Anatomy, workload: Workload) -> dict[str, float]:
    size = BYTES[workload.dtype]
    sizes = {part: n * size for part, n in anatomy.parameters.items()}
    if workload.four_bit:
        sizes["llm"] -= anatomy.in_four_bits * (size - NF4_BYTES)
    return sizes


def _lengths(workload: Workload, staged: bool) -> tuple[float, float]:
    """(positions of the encoder, of the language model) of one clip."""
    heard = workload.seconds if staged else max(workload.seconds, WINDOW_S)
    return heard * FRAMES_PER_S, heard * TOKENS_PER_S + TEXT_TOKENS


def _scoring(anatomy: Anatomy, workload: Workload, staged: bool) -> float:
    """The widest moment without gradients: one layer, or the logits."""
    size, batch = BYTES[workload.dtype], workload.batch
    frames, tokens = _lengths(workload, staged)
    mel = batch * frames / FRAMES_PER_S * MEL_BYTES_PER_S
    encoder = batch * frames * _moment(anatomy, "encoder") * size
    llm = batch * tokens * _moment(anatomy, "llm") * size + 2 * batch * tokens**2 * size
    rows = batch * (TEXT_TOKENS if staged else tokens) * anatomy.vocabulary
    logits = min(rows, LOGITS_AT_ONCE) * (size + 8) if staged else rows * (size + 8)
    cache = batch * tokens * anatomy.key_values * anatomy.n_layers("llm") * size
    states = batch * tokens * anatomy.width("llm") * size
    return max(mel, encoder, llm + states, logits + states) + cache


def _moment(anatomy: Anatomy, part: str) -> float:
    """Values per position that are alive at once in the middle of a layer."""
    return 5.0 * anatomy.width(part) + 3.0 * anatomy.inner(part)


def _kept(anatomy: Anatomy, workload: Workload, staged: bool, cuda: bool) -> float:
    """Memory besides weights and adapter while one batch is learned from."""
    frames, tokens = _lengths(workload, staged)
    logits = (ANSWER_TOKENS if staged else tokens) * anatomy.vocabulary * 12.0
    mask_bytes = 1.0 if cuda else BYTES[workload.dtype]
    clip = kept_for_the_way_back(anatomy, workload, frames, tokens, mask_bytes) + logits
    return workload.batch * clip + _scoring(anatomy, workload, staged)


def kept_for_the_way_back(
    anatomy: Anatomy, workload: Workload, frames: float, tokens: float, mask_bytes: float
) -> float:
    """Bytes that autograd keeps of one clip: of every layer that a gradient passes, or with
    checkpointing of their inputs and one layer. `mask_bytes`: of dropout's mask, per value."""
    total = 0.0
    parts = (("encoder", frames),) if workload.scope in ("encoder", "both") else ()
    for part, length in (*parts, ("llm", tokens)):
        n_layers, layer = anatomy.n_layers(part), _layer_keeps(anatomy, part, workload, mask_bytes)
        inputs = anatomy.width(part) * BYTES[workload.dtype]
        total += length * (
            n_layers * inputs + layer if workload.checkpointing else n_layers * layer
        )
    return total


def _layer_keeps(anatomy: Anatomy, part: str, workload: Workload, mask_bytes: float) -> float:
    """Bytes per position that one layer keeps: the inputs of its norms (in float32 in the language
    model), queries, keys, values and output of attention, the values around each non-linearity,
    what a conformer's convolution keeps (a conformer has two feed-forward blocks a layer), and per
    adapted linear layer its input after dropout with dropout's mask."""
    size, llm = BYTES[workload.dtype], part == "llm"
    width, inner, n_layers = anatomy.width(part), anatomy.inner(part), anatomy.n_layers(part)
    blocks = 1 if llm else sum(linear.outputs == inner for linear in anatomy.of(part)) / n_layers
    norms = (1.0 + blocks) * width * (max(size, 4.0) + size if llm else size)
    attention = 4.0 * width * size
    middle = (3.0 if llm else blocks) * inner * size
    convolution = CONVOLUTION * width * size if blocks > 1 else 0.0
    frozen = norms + attention + middle + convolution
    if workload.scope not in (part, "both"):
        return frozen
    inputs = sum(linear.inputs for linear in anatomy.of(part)) / n_layers
    low = workload.rank * len(anatomy.of(part)) / n_layers
    return frozen + (size + mask_bytes) * inputs + size * low
