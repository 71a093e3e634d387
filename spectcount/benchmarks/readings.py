"""What was answered: trials back into options of items, whatever the way and order of asking.

*Conventions*: a reading names the option by its text and by the place it was shown at, counted from
0 among those shown; both are None where the reply names no option. `reply` is in the form that the
official script reads: words or a letter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from spectcount.benchmarks import rules
from spectcount.benchmarks.catalogue import WORDS, Benchmark
from spectcount.benchmarks.items import LETTERS, Item, position_of
from spectcount.trials import Trial

Place = tuple[int, int]
"""Row of the item, rotation."""


@dataclass(frozen=True)
class Reading:
    """One answer to one item."""

    item: Item
    rotation: int
    reply: str
    text: str | None
    position: int | None
    mass: float | None

    @property
    def right(self) -> bool:
        """The strict mark: the reply names one option, and it is the answer."""
        return self.text is not None and self.text == self.item.right

    @property
    def unparsed(self) -> bool:
        return self.text is None


def place(trial: Trial) -> Place:
    """Where a trial belongs."""
    return int(trial.coords["row"]), int(trial.coords["rotation"])


def read_all(
    benchmark: Benchmark, items: Iterable[Item], trials: Mapping[Place, Trial]
) -> dict[Place, Reading]:
    """The readings of all trials of one listener, in the order of items and rotations."""
    places = ((item, rotation) for item in items for rotation in range(item.n_rotations))
    return {
        (item.row, rotation): read(benchmark, item, rotation, trials[item.row, rotation])
        for item, rotation in places
        if (item.row, rotation) in trials
    }


def read(benchmark: Benchmark, item: Item, rotation: int, trial: Trial) -> Reading:
    """One trial as a reading."""
    shown = item.shown(rotation)
    if trial.reply is None:
        chosen = _chosen(trial, shown)
        reply = in_form(benchmark, shown, chosen)
        return Reading(item, rotation, reply, chosen, position_of(shown, chosen), trial.mass)
    text = parsed(benchmark, shown, trial.reply)
    return Reading(item, rotation, trial.reply, text, position_of(shown, text), None)


def parsed(benchmark: Benchmark, shown: tuple[str | None, ...], reply: str) -> str | None:
    """The option that a reply names by the benchmark's rule."""
    if benchmark.says == WORDS:
        slot = rules.option_said(reply, shown)
    else:
        slot = rules.slot_of_letter(rules.letter_said(reply), shown)
    return None if slot is None else shown[slot]


def in_form(benchmark: Benchmark, shown: tuple[str | None, ...], text: str) -> str:
    """The reply that names an option as the official script wants it."""
    return text if benchmark.says == WORDS else LETTERS[shown.index(text)]


def _chosen(trial: Trial, shown: tuple[str | None, ...]) -> str:
    """The text of the most probable answer of a closed set: of texts, or of the letters."""
    texts = [option for option in shown if option is not None]
    letters = [LETTERS[slot] for slot, option in enumerate(shown) if option is not None]
    by_letter = list(trial.answers) == letters
    return texts[letters.index(trial.answer)] if by_letter else trial.answer
