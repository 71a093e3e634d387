"""Rows of the store as the program sees them: runs, metrics, events, trials."""

from __future__ import annotations

import functools
import json
import sqlite3
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from spectcount.configs import CONFIGS, Json, RunConfig
from spectcount.errors import UserError
from spectcount.store.shapes import SHAPES, fits, lack
from spectcount.trials import Trial, pack

STATES = ("queued", "running", "stopping", "stopped", "done", "failed", "interrupted", "open")
"""`open`: waits for a person, no worker ever takes it."""
ACTIVE = ("running", "stopping")
ENDED = ("stopped", "done", "failed", "interrupted")
JSON_FIELDS = ("config", "lineage", "summary")


@dataclass(frozen=True)
class Run:
    """One run: a row of the store and a folder. `done` of `total` units of work are done; the
    present attempt began at `done_before` and does `rate` units a second; earlier attempts worked
    `worked_s`. `unreadable` names the fields that hold no JSON; they are empty here."""

    id: str
    kind: str
    device: str
    state: str
    reason: str
    config: Json
    lineage: Json
    summary: Json | None
    created_at: float
    queued_at: float
    started_at: float | None
    ended_at: float | None
    stop_requested_at: float | None
    heartbeat_at: float | None
    pid: int | None
    pid_started_at: float | None
    done: int
    total: int
    done_before: int
    owner: str
    rate: float | None
    worked_s: float
    folder: Path
    unreadable: tuple[str, ...] = ()

    @property
    def ended(self) -> bool:
        return self.state in ENDED

    @property
    def of_kind(self) -> type[RunConfig]:
        """The configuration class of its kind."""
        return CONFIGS.get(self.kind, RunConfig)

    @property
    def roles(self) -> dict[str, str]:
        """{"base": listener, "tuned": listener} of a run that compares two, in any order of
        their names; empty for others."""
        names = self.listeners
        if not self.of_kind.compares or len(names) != 2:
            return {}
        return {"base": names[0], "tuned": names[1]}

    @property
    def listeners(self) -> tuple[str, ...]:
        """The listeners that it asks, base first; none of a fine-tune."""
        return tuple(self.config.get("listeners") or ())

    @property
    def log_path(self) -> Path:
        return self.folder / "log.txt"

    @property
    def eta_s(self) -> float | None:
        """Seconds to go at the present rate; None while none is known and after the end."""
        if self.state not in ACTIVE or not self.rate:
            return None
        return (self.total - self.done) / self.rate

    @property
    def damage(self) -> str:
        """Damage of the run's row, in words; "" where there is none."""
        if self.unreadable:
            return f"its {' and '.join(self.unreadable)} cannot be read"
        return lack(self.kind, self.config, self.summary or {})

    def whole(self) -> Run:
        """This run; raises `UserError` where its row is damaged."""
        if self.damage:
            raise UserError(
                f"run {self.id} is damaged: {self.damage}; its files are in {self.folder}, the "
                "other runs are not touched"
            )
        return self

    def log_tail(self, lines: int = 20) -> str:
        """The last lines of the run's log."""
        if not self.log_path.exists():
            return ""
        with self.log_path.open("rb") as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - 400 * lines))
            text = file.read().decode(errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def to_dict(self) -> Json:
        """Plain data, JSON ready."""
        plain = {"folder": str(self.folder), "unreadable": list(self.unreadable)}
        return {**asdict(self), **plain, "roles": self.roles}


@dataclass(frozen=True)
class Pace:
    """Marks that change when runs do: equal stamps, nothing new; `live`: something goes on."""

    stamp: tuple[Any, ...]
    live: bool


@dataclass(frozen=True)
class Metric:
    """One number of a learning curve."""

    step: int
    name: str
    value: float
    at: float


@dataclass(frozen=True)
class LogEvent:
    """One line that a run said."""

    at: float
    message: str


_USUAL: dict[str, float | int | None] = {
    "created_at": 0.0,
    "queued_at": 0.0,
    "started_at": None,
    "ended_at": None,
    "stop_requested_at": None,
    "heartbeat_at": None,
    "pid": None,
    "pid_started_at": None,
    "done": 0,
    "total": 0,
    "done_before": 0,
    "rate": None,
    "worked_s": 0.0,
}
"""What a column of numbers holds where its value is none."""
_TEXTS = ("kind", "device", "state", "reason", "owner")


def _shapely(name: str, value: Any) -> bool:
    """True where a field's JSON has the form that a run writes."""
    return (value is None and name == "summary") or fits(value, SHAPES[name])


def _is_number(value: Any, usual: float | int | None) -> bool:
    """True where a column of numbers holds one that is not negative, as all of a run's are; SQLite
    keeps whatever it is given."""
    if value is None:
        return usual is None
    return isinstance(value, int | float) and value >= 0


def run_of(row: sqlite3.Row, home: Path) -> Run:
    """The run in a row; fields that cannot be read are empty, and named."""
    values = dict(row)
    unreadable: list[str] = []
    for name in JSON_FIELDS:
        try:
            values[name] = json.loads(values[name])
        except (TypeError, ValueError):
            values[name] = None if name == "summary" else {}
            unreadable.append(name)
    for name in JSON_FIELDS:
        if not _shapely(name, values[name]):
            values[name] = None if name == "summary" else {}
            unreadable.append(name)
    for name, usual in _USUAL.items():
        if not _is_number(values[name], usual):
            values[name] = usual
            unreadable.append(name)
    for name in _TEXTS:
        if not isinstance(values[name], str):
            values[name] = ""
            unreadable.append(name)
    known = {f.name for f in fields(Run)}
    values = {name: value for name, value in values.items() if name in known}
    return Run(
        **values, folder=home / "runs" / row["id"], unreadable=tuple(dict.fromkeys(unreadable))
    )


def metric_of(row: sqlite3.Row) -> Metric:
    """SQLite keeps NaN as NULL."""
    value = float("nan") if row["value"] is None else row["value"]
    return Metric(row["step"], row["name"], value, row["at"])


_TRIAL_FIELDS = {f.name for f in fields(Trial)}


_SHARED = ("fingerprint", "listener", "task", "prompt", "truth")


@functools.lru_cache(maxsize=4096)
def _same(value: Any) -> Any:
    """Equal words of many trials as one object."""
    return value


def trial_of(body: str, packed: bool = True, **link: Any) -> Trial:
    """The trial in a row; `packed`: with its stimulus in a tenth of the memory, for a trial that is
    held. Fields of a later release are left out; raises `UserError` for what is no trial."""
    try:
        values = {k: v for k, v in json.loads(body).items() if k in _TRIAL_FIELDS}
        if packed and isinstance(values["stimulus"], dict):
            values["stimulus"] = pack(values["stimulus"])
        values |= link
        for name in _SHARED:
            values[name] = _same(values[name])
        values["answers"] = _same(tuple(values["answers"]))
        values["log_probs"] = tuple(values["log_probs"])
        return Trial(**values)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise UserError(
            f"a trial of the store cannot be read ({body[:60]!r}...); ask its run again in another "
            "home, what is whole can still be exported"
        ) from None
