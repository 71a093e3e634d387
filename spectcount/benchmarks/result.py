"""The shape of a benchmark run's summary: JSON that `summary` writes and `words` and the page read.

*Conventions*: rates are shares of 1 with their intervals; None stands for a number that does not
exist, or an end that is open. `docs/benchmarks.md` says what each key means.
"""

from __future__ import annotations

from typing import NotRequired, TypedDict


class Rate(TypedDict):
    """An interval as `maps.plain` writes it; `open` is there where an end is."""

    value: float | None
    low: float | None
    high: float | None
    level: float
    rule: str
    open: NotRequired[str]


class Verdict(TypedDict):
    """One change in words, as `probing.verdict` writes it."""

    kind: str
    sentence: str
    interval: Rate
    measure: str
    n: int
    margin: float | None
    descriptive: bool


class Head(TypedDict):
    """The benchmark and what was asked of it."""

    name: str
    title: str
    path: str
    digest: str
    n_file: int
    n_unanswered: int
    n: int
    limit: int | None
    seed: int
    mode: str
    rotate: bool
    answers_known: bool
    average_over: str | None
    gotchas: list[str]
    says: str


class FirstOption(TypedDict):
    """Scores of always naming the first option."""

    official: float | None
    strict: float | None


class Floors(TypedDict):
    """Scores that need no ears."""

    first: FirstOption
    chance: float | None
    answer_positions: list[int]
    answers_not_among_options: int


class OfficialScore(TypedDict):
    """The number that the official script prints, and what happened on the way."""

    score: Rate
    right: int
    counted: int
    left_out: int
    gotchas: list[str]
    script_stops: str
    mean_over_sets: float | None


class Balanced(TypedDict):
    """The score that preference for a place cannot raise; `blind`: what choosing by place gives."""

    score: Rate
    n: int
    n_options: int
    blind: float


class StrictScore(TypedDict):
    """The score over every item that was dealt with."""

    score: Rate
    right: int
    n: int
    accuracy: Rate
    balanced: Balanced


class Orders(TypedDict):
    """Results of asking in every order of the options."""

    n: int
    consistent: Rate
    right_in_every_order: Rate | None
    mean_over_orders: float | None
    positions: list[int]
    unparsed: int


class Unparsed(TypedDict):
    """Replies that name no option."""

    n: int
    rate: Rate


class Missing(TypedDict):
    """An item that was not asked, and why."""

    item: str
    why: str


class Refused(Missing):
    """An item that the listener refused."""

    duration_s: float


class ScoredBy(TypedDict, total=False):
    """The scoring of a model; nothing of other listeners."""

    path: str
    why_stock: str
    scoring: str
    device: str
    dtype: str


# Written as a call: one of the stored keys is no name that a class of ours may bind.
Counts = TypedDict("Counts", {"fingerprint": str, "asked": int, "known": int})  # noqa: UP013
"""The listener; questions put to it in this run, and known from others."""


class ListenerPart(ScoredBy, Counts):
    """One listener's answers and scores."""

    clips_per_s: float | None
    n_items: int
    n_replied: int
    n_not_asked_yet: int
    refused: list[Refused]
    official: OfficialScore | None
    strict: StrictScore | None
    unparsed: Unparsed
    positions: list[int]
    rotation: Orders | None
    mean_mass: float | None
    n_lowered: int
    n_single_channel: NotRequired[int]


class Discordant(TypedDict):
    """Items that one of two listeners has right, and McNemar's exact p."""

    only_base_right: int
    only_tuned_right: int
    p: float


class Comparison(TypedDict):
    """Changes from base to tuned."""

    base: str
    tuned: str
    n: int
    mcnemar: Discordant
    strict: Rate
    official: Rate
    balanced: Rate
    first_place: Rate
    verdicts: list[Verdict]


class StratumScores(TypedDict):
    """One listener's rates in one stratum."""

    strict: Rate
    right: int
    n: int
    official: Rate
    counted: int
    unparsed: int


class Stratum(TypedDict):
    """One category: its items, each listener's rates, and the strict change of two."""

    name: str
    n: int
    listeners: dict[str, StratumScores]
    change: Rate | None
    verdict: Verdict | None


class Summary(TypedDict):
    """Everything that a run says; a stored one also has how far it came."""

    verdicts: list[Verdict]
    caveats: list[str]
    benchmark: Head
    prompt: dict[str, str]
    unheard: dict[str, list[Missing]]
    floors: Floors | None
    listeners: dict[str, ListenerPart]
    strata: dict[str, list[Stratum]]
    comparison: Comparison | None
    done: NotRequired[int]
    total: NotRequired[int]
    stopped: NotRequired[bool]
