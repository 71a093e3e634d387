"""Configurations of runs, one class per kind: what was asked for, as it is stored.

Conventions: `from_json` reads what any release stored, leaves out names that it does not know and
takes the default of what is not there; `to_json` is what the store keeps. Plans, regions, prompts
and parts of a training are plain data here: the layers that they belong to read them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

Json = dict[str, Any]
"""Plain data: what JSON holds under names."""


@dataclass(frozen=True)
class RunConfig:
    """The base of all configurations: a seed."""

    kind: ClassVar[str] = ""
    compares: ClassVar[bool] = False
    """Whether two listeners of it are base and tuned."""
    judged: ClassVar[bool] = False
    """Whether verdicts on the change from base to tuned are its result."""
    tabled: ClassVar[bool] = False
    """Whether a table of the whole run is its result."""
    mapped: ClassVar[bool] = False
    """Whether it may find regions that new questions can confirm."""
    confirms: ClassVar[bool] = False
    """Whether it is those new questions."""
    trains: ClassVar[bool] = False
    """Whether it makes an adapter, in steps."""
    by_person: ClassVar[bool] = False
    """Whether a person answers."""

    seed: int = 0

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """The configuration in plain data."""
        names = {f.name for f in dataclasses.fields(cls)}
        known = {n: v for n, v in values.items() if n in names and v is not None}
        return cls(**known)

    def to_json(self) -> Json:
        """Plain data, as the store keeps it."""
        return {f.name: getattr(self, f.name) for f in dataclasses.fields(self)}


@dataclass(frozen=True)
class AskConfig(RunConfig):
    """A plan that is asked of listeners, base first where two are compared."""

    plan: Json = field(default_factory=dict)
    listeners: Sequence[str] = ()


@dataclass(frozen=True)
class ProbeConfig(AskConfig):
    """One plan, one listener or several."""

    kind: ClassVar[str] = "probe"
    mapped: ClassVar[bool] = True


@dataclass(frozen=True)
class CompareConfig(AskConfig):
    """The same questions for base and tuned; changes inside ±`margin` count as equivalent."""

    kind: ClassVar[str] = "compare"
    judged: ClassVar[bool] = True
    mapped: ClassVar[bool] = True
    compares: ClassVar[bool] = True

    margin: float | None = None


@dataclass(frozen=True)
class PanelConfig(CompareConfig):
    """The `parts` of a forgetting panel, `plan` being all of them interleaved, and the weak
    `regions` that the adapter was made from."""

    kind: ClassVar[str] = "panel"
    tabled: ClassVar[bool] = True
    mapped: ClassVar[bool] = False

    parts: Sequence[Json] = ()
    regions: Sequence[Json] = ()


@dataclass(frozen=True)
class WordingsConfig(AskConfig):
    """A plan whose every stimulus is asked in each of `wordings` (indices)."""

    kind: ClassVar[str] = "wordings"
    tabled: ClassVar[bool] = True
    compares: ClassVar[bool] = True

    wordings: Sequence[int] = ()


@dataclass(frozen=True)
class ConfirmConfig(AskConfig):
    """New questions about the suspected regions (`targets`) of the map that the run `source` asked
    at `map_seed`: `trials` signal trials of each, held against `criterion`."""

    kind: ClassVar[str] = "confirm"
    confirms: ClassVar[bool] = True

    source: str = ""
    targets: Sequence[Json] = ()
    trials: int = 0
    map_seed: int = 0
    criterion: Json = field(default_factory=dict)


@dataclass(frozen=True)
class ListenConfig(AskConfig):
    """A person's session; see `actions.ListenOptions`."""

    kind: ClassVar[str] = "listen"
    by_person: ClassVar[bool] = True

    practice: int = 0
    feedback: bool = False
    break_every: int = 0


@dataclass(frozen=True)
class BenchmarkConfig(RunConfig):
    """The items of a benchmark's file (`path`, with its `digest`; "": not read yet) in a prompt,
    in whole replies or scored, `limit` of them (None: all), in one order of the options or all."""

    kind: ClassVar[str] = "benchmark"
    compares: ClassVar[bool] = True

    benchmark: str = ""
    path: str = ""
    prompt: Json = field(default_factory=dict)
    mode: str = "reply"
    rotate: bool = False
    limit: int | None = None
    listeners: Sequence[str] = ()
    digest: str = ""


@dataclass(frozen=True)
class TuneConfig(RunConfig):
    """A fine-tune of `base` on a curriculum, with more of its weak `regions`."""

    kind: ClassVar[str] = "tune"
    trains: ClassVar[bool] = True

    base: str = ""
    curriculum: Json = field(default_factory=dict)
    lora: Json = field(default_factory=dict)
    train: Json = field(default_factory=dict)
    regions: Sequence[Json] = ()


@dataclass(frozen=True)
class StagesConfig(RunConfig):
    """States of `listeners` on the clips that the run `source` asked by `plan`, in its `cells`
    (x, y; none: all of them) with the words `place`."""

    source: str = ""
    plan: Json = field(default_factory=dict)
    listeners: Sequence[str] = ()
    cells: Sequence[Sequence[int]] = ()
    place: str = ""


@dataclass(frozen=True)
class LadderConfig(StagesConfig):
    """The stages of `listeners` (base first) on at most `pairs` pairs of clips. `keep` leaves the
    states in the run's folder."""

    kind: ClassVar[str] = "ladder"
    compares: ClassVar[bool] = True

    pairs: int = 200
    keep: bool = False


@dataclass(frozen=True)
class PatchConfig(StagesConfig):
    """States of counterparts replaced by those of signals in one listener, for at most `pairs`
    pairs of clips; audio in so many `stretches`."""

    kind: ClassVar[str] = "patch"

    pairs: int = 8
    stretches: int = 12


CONFIGS: dict[str, type[RunConfig]] = {
    each.kind: each
    for each in (
        ProbeConfig,
        CompareConfig,
        PanelConfig,
        WordingsConfig,
        ConfirmConfig,
        ListenConfig,
        BenchmarkConfig,
        TuneConfig,
        LadderConfig,
        PatchConfig,
    )
}
"""Class of each kind of run."""


def ask_config(kind: str, values: Mapping[str, Any]) -> AskConfig:
    """The configuration of a run of a kind that asks, from plain data."""
    of_kind = CONFIGS[kind]
    assert issubclass(of_kind, AskConfig)
    return of_kind.from_json(values)
