"""One declaration per parameter, read by everything that needs to know it.

A *declared class* is a frozen dataclass deriving from `Declared` whose fields are made with
`param(...)`. The slider and its bounds, the validation message, the preset key, the random range
of a curriculum, the axis label of a curve and the help text all come from that declaration.

Conventions: names carry units (`gap_ms`, `onset_s`); `low` and `high` are inclusive; an
`optional` parameter may be None; a parameter with `choices` takes one of them.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, ClassVar, Self

import numpy as np

from spectcount.errors import UserError


@dataclass(frozen=True)
class Param:
    """The declaration of one parameter.

    `kind` is the Python type of its value (float, int, str or bool); `slider_high` is where the
    page's slider ends when that is below the limit `high`; `log` asks for a logarithmic axis.
    """

    name: str
    kind: type
    default: Any
    help: str
    low: float | None = None
    high: float | None = None
    step: float | None = None
    unit: str = ""
    label: str = ""
    choices: tuple[str, ...] = ()
    optional: bool = False
    log: bool = False
    slider_high: float | None = None
    group: str = ""

    @property
    def title(self) -> str:
        """Words for a form: label and unit, e.g. "Spacing (ms)"."""
        words = self.label or self.name.replace("_", " ").capitalize()
        return f"{words} ({self.unit})" if self.unit else words

    @property
    def axis_label(self) -> str:
        """Words for an axis; the same as `title`."""
        return self.title

    @property
    def numeric(self) -> bool:
        return self.kind in (int, float)

    def validate(self, value: Any) -> Any:
        """Return `value` as this parameter's type, or raise `UserError` naming value and limit."""
        if value is None or (self.optional and value in ("", "none", "None", "null")):
            if self.optional:
                return None
            raise UserError(f"{self.name} is empty; {self._limits()}")
        if self.kind is bool:
            return self._bool(value)
        if self.choices or self.kind is str:
            return self._choice(value)
        return self._number(value)

    def draw(
        self, rng: np.random.Generator, low: float | None = None, high: float | None = None
    ) -> Any:
        """One uniform random value in [low, high] (defaults: the declared range), on a log axis
        where the parameter has one."""
        if self.choices:
            return self.choices[int(rng.integers(len(self.choices)))]
        if not self.numeric or self.low is None or self.high is None:
            raise UserError(f"{self.name} has no numeric range to draw from; set a fixed value")
        a = self.low if low is None else self.validate(low)
        b = self.high if high is None else self.validate(high)
        if a > b:
            raise UserError(f"{self.name}: range {a}..{b} is empty; swap its ends")
        if self.kind is int:
            return int(rng.integers(int(a), int(b) + 1))
        if self.log and a > 0:
            return float(math.exp(rng.uniform(math.log(a), math.log(b))))
        return float(rng.uniform(a, b))

    def parse(self, text: str) -> Any:
        """A value from the text after `--set name=`."""
        return self.validate(text)

    def _limits(self) -> str:
        if self.choices:
            return "choose one of " + ", ".join(self.choices)
        if self.low is not None and self.high is not None:
            unit = f" {self.unit}" if self.unit else ""
            return f"give a value from {_plain(self.low)} to {_plain(self.high)}{unit}"
        return "give a value"

    def _bool(self, value: Any) -> bool:
        if isinstance(value, (bool, np.bool_)):
            return bool(value)
        words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
        if str(value).lower() in words:
            return words[str(value).lower()]
        raise UserError(f"{self.name}={value!r} is neither true nor false; give one of the two")

    def _choice(self, value: Any) -> str:
        if not isinstance(value, str):
            raise UserError(f"{self.name}={value!r} is not text; {self._limits()}")
        if self.choices and value not in self.choices:
            raise UserError(f"{self.name}={value!r} is not known; {self._limits()}")
        return value

    def _number(self, value: Any) -> float | int:
        if isinstance(value, (bool, np.bool_)):
            raise UserError(f"{self.name}={value!r} is not a number; {self._limits()}")
        try:
            number = float(value)
        except (TypeError, ValueError, OverflowError):
            raise UserError(f"{self.name}={value!r} is not a number; {self._limits()}") from None
        if not math.isfinite(number):
            raise UserError(f"{self.name}={value!r} is not a finite number; {self._limits()}")
        if self.kind is int and number != int(number):
            raise UserError(f"{self.name}={value!r} is not a whole number; {self._limits()}")
        below = self.low is not None and number < self.low
        above = self.high is not None and number > self.high
        limit = self.low if below else self.high
        if limit is not None and (below or above):
            word = "below" if below else "above"
            unit = f" {self.unit}" if self.unit else ""
            raise UserError(
                f"{self.name}={_plain(number)}{unit} is {word} the limit {_plain(limit)}{unit}; "
                f"{self._limits()}"
            )
        return int(number) if self.kind is int else number


def _plain(number: float) -> str:
    """A number without an exponent where it is whole."""
    return f"{number:g}" if number != int(number) else f"{int(number)}"


def param(
    default: Any,
    help: str,
    *,
    low: float | None = None,
    high: float | None = None,
    step: float | None = None,
    unit: str = "",
    label: str = "",
    choices: Iterable[str] = (),
    kind: type | None = None,
    log: bool = False,
    slider_high: float | None = None,
    group: str = "",
) -> Any:
    """A dataclass field that declares a parameter. `default=None` makes it optional (then give
    `kind`)."""
    spec = {
        "kind": kind or type(default),
        "default": default,
        "help": help,
        "low": low,
        "high": high,
        "step": step,
        "unit": unit,
        "label": label,
        "choices": tuple(choices),
        "optional": default is None,
        "log": log,
        "slider_high": slider_high,
        "group": group,
    }
    return dataclasses.field(default=default, metadata={"param": spec})


@dataclass(frozen=True)
class Declared:
    """Base of every declared class: validates each field on construction and refuses, by name,
    what it does not know."""

    title: ClassVar[str] = ""

    def __post_init__(self) -> None:
        for name, spec in self.params().items():
            object.__setattr__(self, name, spec.validate(getattr(self, name)))
        self.check()

    def check(self) -> None:
        """Hook for rules that join several parameters; raises `UserError`."""

    def refuse_swapped(self, low: str, high: str) -> None:
        """Raise `UserError` where the parameter `low` is above `high`; None is neither."""
        a, b = getattr(self, low), getattr(self, high)
        if a is not None and b is not None and a > b:
            raise UserError(f"{low}={a:g} is above {high}={b:g}; swap them")

    @classmethod
    def params(cls) -> Mapping[str, Param]:
        """Name -> declaration, in the order of declaration; read-only."""
        hashable: Any = (
            cls  # a class is hashable, though its instances' __hash__ hides it from mypy
        )
        return _declarations(hashable)

    @classmethod
    def param(cls, name: str) -> Param:
        """The declaration of `name`; unknown names are refused with the nearest known one."""
        known = cls.params()
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {near[0]}?" if near else "known: " + ", ".join(known)
            raise UserError(f"{cls.__name__} has no parameter {name!r}; {hint}")
        return known[name]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Build from a plain mapping; unknown keys are refused."""
        for name in values:
            cls.param(name)
        return cls(**dict(values))

    def replace(self, **changes: Any) -> Self:
        """A copy with some parameters changed, validated again."""
        return type(self).from_dict({**self.to_dict(), **changes})

    def to_dict(self) -> dict[str, Any]:
        """Every parameter and its value: JSON and YAML ready."""
        return {name: getattr(self, name) for name in self.params()}


@functools.cache
def _declarations(cls: type[Declared]) -> Mapping[str, Param]:
    fields = [f for f in dataclasses.fields(cls) if "param" in f.metadata]
    return MappingProxyType({f.name: Param(name=f.name, **f.metadata["param"]) for f in fields})


def split_assignments(assignments: Iterable[str]) -> dict[str, str]:
    """`["gap_ms=40", ...]` -> {"gap_ms": "40"}, values as written."""
    values: dict[str, str] = {}
    for text in assignments:
        name, equals, value = map(str.strip, text.partition("="))
        if not equals:
            raise UserError(f"--set {text!r} has no '='; write name=value")
        if name in values:
            raise UserError(f"--set gives {name} twice ({values[name]}, {value}); leave one out")
        values[name] = value
    return values
