"""Tasks: what is asked about a clip, which answers are allowed, which one is true.

A task is a closed set of answers, several wordings of one question, the truth of a Stimulus and a
parser for free replies. Each wording has a place for the options, which are written in the given
order or its reverse, so that order can be counterbalanced. Wordings marked held out are never
used in training; tests ask with them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from spectcount.errors import UserError
from spectcount.stimulus import Stimulus

MAX_COUNT = 10
COUNTS = tuple(str(n) for n in range(MAX_COUNT + 1))
_NUMBER_WORDS = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
)  # fmt: skip


@dataclass(frozen=True)
class Task:
    """A closed question.

    `wordings` are for training and use, `held_out` for tests only; `{options}` in a wording is
    replaced by the options in the chosen order. `truth` gives None where the task makes no sense
    of a stimulus.
    """

    name: str
    answers: tuple[str, ...]
    wordings: tuple[str, ...]
    held_out: tuple[str, ...]
    truth: Callable[[Stimulus], str | None]
    parse: Callable[[str], str | None]
    options: tuple[str, ...]

    @property
    def all_wordings(self) -> tuple[str, ...]:
        """Training wordings, then held-out ones; a wording's index is its identity."""
        return self.wordings + self.held_out

    def prompt(self, wording: int = 0, reverse: bool = False) -> str:
        """The question in words. Raises `UserError` for an unknown wording."""
        if not 0 <= wording < len(self.all_wordings):
            raise UserError(
                f"wording={wording} is not known; {self.name} has 0..{len(self.all_wordings) - 1}"
            )
        options = self.options[::-1] if reverse else self.options
        return self.all_wordings[wording].format(options=" or ".join(options))

    @property
    def reversible(self) -> bool:
        """Whether the order of the options can be swapped."""
        return len(self.options) == 2


def _detect_truth(stimulus: Stimulus) -> str:
    return "yes" if stimulus.events else "no"


def _count_truth(stimulus: Stimulus) -> str | None:
    n = len(stimulus.events)
    return str(n) if n <= MAX_COUNT else None


def _interval_truth(stimulus: Stimulus) -> str | None:
    """Which half of the clip holds the event(s); None when neither or both do."""
    halves = {
        int(2 * (e.onset_s + e.duration_s / 2) >= stimulus.duration_s) for e in stimulus.events
    }
    return ("first", "second")[halves.pop()] if len(halves) == 1 else None


def parse_one_of(words: tuple[str, ...]) -> Callable[[str], str | None]:
    """A parser that finds exactly one of `words` in a reply; none or several is unparsed."""

    def parse(reply: str) -> str | None:
        found = {w for w in re.findall(r"[a-z]+", reply.lower()) if w in words}
        return found.pop() if len(found) == 1 else None

    return parse


def parse_count(reply: str) -> str | None:
    """A parser that finds exactly one whole number, in digits or words, at most 10."""
    text = reply.lower()
    digits = set(re.findall(r"(?<![\d.-])\d+(?!\d|\.\d)", text))
    words = {str(_NUMBER_WORDS.index(w)) for w in re.findall(r"[a-z]+", text) if w in _NUMBER_WORDS}
    if re.search(r"-\d|\d\.\d", text):
        return None
    found = {str(int(d)) for d in digits} | words
    if len(found) != 1:
        return None
    number = found.pop()
    return number if number in COUNTS else None


DETECT = Task(
    name="detect",
    answers=("yes", "no"),
    wordings=(
        "Is there a beep? Answer {options}.",
        "Do you hear a beep in this clip? Answer {options}.",
        "Does the audio contain a tone? Reply with {options}.",
        "Listen. Is a tone present? {options}?",
        "Can you hear any pulse in the recording? Say {options}.",
        "Is any sound event audible in the noise? Answer {options}.",
        "{options}: does this clip contain a pulse?",
    ),
    held_out=(
        "Do you hear any tone in the recording? Say {options}.",
        "Is a pulse audible in this clip? Reply with {options}.",
    ),
    truth=_detect_truth,
    parse=parse_one_of(("yes", "no")),
    options=("yes", "no"),
)

COUNT = Task(
    name="count",
    answers=COUNTS,
    wordings=(
        "How many beeps are there? Answer with a number.",
        "Count the beeps in this clip.",
        "How many tones do you hear? Reply with a number.",
        "Listen. What is the number of pulses in the audio?",
        "How many pulses does the recording contain? Say a number.",
        "Count the tones. Answer with a number.",
        "What is the number of beeps that you can hear?",
    ),
    held_out=(
        "How many beeps does this clip contain? Reply with a number.",
        "Listen. Count the pulses in the recording.",
    ),
    truth=_count_truth,
    parse=parse_count,
    options=(),
)

INTERVAL = Task(
    name="interval",
    answers=("first", "second"),
    wordings=(
        "Which half of the clip has the beep? Answer {options}.",
        "Is the tone in the {options} interval?",
        "There are two intervals. Which one has the tone? Reply with {options}.",
        "In which half of the recording do you hear the pulse? Say {options}.",
        "Listen. Which interval contains the beep, {options}?",
        "{options}: which half contains the pulse?",
    ),
    held_out=(
        "Which interval of the recording has the beep? Say {options}.",
        "There are two intervals. In which one do you hear the pulse? Answer {options}.",
    ),
    truth=_interval_truth,
    parse=parse_one_of(("first", "second")),
    options=("first", "second"),
)

TASKS = {task.name: task for task in (DETECT, COUNT, INTERVAL)}


def task(name: str) -> Task:
    """The task called `name`; unknown names are refused."""
    if name not in TASKS:
        raise UserError(f"task {name!r} is not known; choose one of {', '.join(TASKS)}")
    return TASKS[name]
