"""Tasks: what is asked about a clip, which answers are allowed, which one is true.

A task is a closed set of answers, several wordings of one question, the truth of a Stimulus and a
parser for free replies. Each wording has a place for the options, which are written in the given
order or its reverse, so that order can be counterbalanced. Wordings marked held out are never
used in training; tests ask with them.
"""

from __future__ import annotations

import itertools
import re
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from spectcount.errors import UserError, choice
from spectcount.stimulus import Event, Stimulus

MAX_COUNT = 10
COUNTS = tuple(str(n) for n in range(MAX_COUNT + 1))
NUMBER_WORDS = (
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
)
YES_NO, FORCED_CHOICE, COUNTING, SUBJECTIVE = "yes_no", "forced_choice", "count", "subjective"
SAME_S = 1e-4
"""Onsets and intervals that differ by less are the same."""


@dataclass(frozen=True)
class Task:
    """A closed question.

    `wordings` are for training and use, `held_out` for tests only; `{options}` in a wording is
    replaced by the options in the chosen order. `truth` gives None where the task makes no sense
    of a stimulus, and always where the task is subjective.

    `title` is the question in a few words. `kind`: yes_no, the first answer is "yes";
    forced_choice, two alternatives (d' is over sqrt 2); count; subjective, what is heard has no
    right answer.
    """

    name: str
    answers: tuple[str, ...]
    wordings: tuple[str, ...]
    held_out: tuple[str, ...]
    truth: Callable[[Stimulus], str | None]
    parse: Callable[[str], str | None]
    options: tuple[str, ...]
    title: str = ""
    kind: str = YES_NO

    @property
    def two_class(self) -> bool:
        """It has a signal (the first answer is true) and a counterpart (the second is), so that
        sensitivity and bias can be told apart."""
        return self.has_alarms or self.forced_choice

    @property
    def has_alarms(self) -> bool:
        """Its first answer is "yes": to a counterpart that is a false alarm."""
        return self.kind == YES_NO

    @property
    def forced_choice(self) -> bool:
        """One of two alternatives holds the signal."""
        return self.kind == FORCED_CHOICE

    @property
    def counts(self) -> bool:
        """Its answers are numbers."""
        return self.kind == COUNTING

    @property
    def has_truth(self) -> bool:
        """One of its answers is right."""
        return self.kind != SUBJECTIVE

    @property
    def distance(self) -> float:
        """Distance of signal and counterpart in standard deviations over d': sqrt 2 in forced
        choice, whose d' is defined so (Green & Swets, 1966)."""
        return 2**0.5 if self.forced_choice else 1.0

    @property
    def scale(self) -> float:
        """Of z(H) - z(F), and of sqrt 2 z(AUC), to d': the inverse of `distance`."""
        return 2**-0.5 if self.forced_choice else 1.0

    @property
    def guess_rate(self) -> float | None:
        """Rate of successes by guessing; None where the listener's own bias decides it."""
        return 0.5 if self.forced_choice else None

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
        """True where the order of the options can be swapped."""
        return len(self.options) == 2


def _detect_truth(stimulus: Stimulus) -> str:
    return "yes" if stimulus.events else "no"


def _count_truth(stimulus: Stimulus) -> str | None:
    n = len(stimulus.events)
    return str(n) if n <= MAX_COUNT else None


def _interval_truth(stimulus: Stimulus) -> str | None:
    """The half of the clip that holds the event(s); None when neither or both do."""
    halves = {
        int(2 * (e.onset_s + e.duration_s / 2) >= stimulus.duration_s) for e in stimulus.events
    }
    return ("first", "second")[halves.pop()] if len(halves) == 1 else None


def parse_one_of(words: tuple[str, ...]) -> Callable[[str], str | None]:
    """A parser that finds exactly one of `words` in a reply; none or several is unparsed."""

    def parse(reply: str) -> str | None:
        matches = {w for w in re.findall(r"[a-z]+", reply.lower()) if w in words}
        return matches.pop() if len(matches) == 1 else None

    return parse


def parse_count(reply: str) -> str | None:
    """A parser that finds exactly one whole number, in digits or words, at most 10."""
    text = reply.lower()
    digits = set(re.findall(r"(?<![\d.-])\d+(?!\d|\.\d)", text))
    words = {str(NUMBER_WORDS.index(w)) for w in re.findall(r"[a-z]+", text) if w in NUMBER_WORDS}
    if re.search(r"-\d|\d\.\d", text):
        return None
    numbers = {str(int(d)) for d in digits} | words
    if len(numbers) != 1:
        return None
    number = numbers.pop()
    return number if number in COUNTS else None


def _pair(
    stimulus: Stimulus, value: Callable[[Event], float], names: tuple[str, str]
) -> str | None:
    """`names[0]` where the first of exactly two events has the larger value, `names[1]` where the
    second has; None where they are equal or not two."""
    if len(stimulus.events) != 2:
        return None
    first, second = map(value, stimulus.events)
    return None if first == second else names[int(second > first)]


def _order_truth(stimulus: Stimulus) -> str | None:
    """True where the higher or the lower of two events began first."""
    events = stimulus.events
    if len(events) != 2 or events[1].onset_s - events[0].onset_s < SAME_S:
        return None
    return _pair(stimulus, lambda e: e.frequency_hz, ("high", "low"))


def steps_less_rests_s(onsets_s: Sequence[float]) -> list[float]:
    """Distances between neighbouring onsets, those of several beats less the beats at rest: a
    rest makes no rhythm uneven. The beat is the median distance."""
    steps_s = [b - a for a, b in itertools.pairwise(onsets_s)]
    beat_s = statistics.median(steps_s)
    return [step_s - max(round(step_s / beat_s) - 1, 0) * beat_s for step_s in steps_s]


def _jitter_truth(stimulus: Stimulus) -> str | None:
    """Yes where the onsets of three or more events lie at unequal distances, rests aside; None if
    events begin together."""
    onsets_s = [e.onset_s for e in stimulus.events]
    if len(onsets_s) < 3 or len(set(onsets_s)) < len(onsets_s):
        return None
    steps_s = steps_less_rests_s(onsets_s)
    return "yes" if max(steps_s) - min(steps_s) > SAME_S else "no"


def _any_truth(holds: Callable[[Event], bool]) -> Callable[[Stimulus], str | None]:
    """ "yes" where any event has it; None where there is no event to ask about."""
    return lambda s: ("yes" if any(map(holds, s.events)) else "no") if s.events else None


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
    title="Is there a beep?",
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
    title="How many beeps?",
    kind=COUNTING,
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
    title="Which half has the beep?",
    kind=FORCED_CHOICE,
)


def _closed(
    name: str,
    answers: tuple[str, str],
    title: str,
    truth: Callable[[Stimulus], str | None],
    wordings: tuple[str, ...],
    held_out: tuple[str, ...],
    kind: str = FORCED_CHOICE,
) -> Task:
    """A task of two answers that are also its options."""
    return Task(
        name, answers, wordings, held_out, truth, parse_one_of(answers), answers, title, kind
    )


GAP = _closed(
    "gap",
    ("yes", "no"),
    "Is there a gap?",
    _any_truth(lambda e: e.gap_ms > 0),
    (
        "Is there a gap in the sound? Answer {options}.",
        "Does the sound stop for a moment and go on? Answer {options}.",
        "Listen. Is the sound interrupted by silence? {options}?",
        "Do you hear a short pause in the sound? Reply with {options}.",
        "Is there a break in the sound? Say {options}.",
        "{options}: is the sound interrupted?",
    ),
    (
        "Does the sound have a gap? Reply with {options}.",
        "Can you hear a short silence within the sound? Answer {options}.",
    ),
    YES_NO,
)

MODULATED = _closed(
    "modulated",
    ("yes", "no"),
    "Does the loudness fluctuate?",
    _any_truth(lambda e: e.am_depth > 0),
    (
        "Does the loudness of the sound fluctuate? Answer {options}.",
        "Is the sound fluttering? Answer {options}.",
        "Listen. Does the sound go up and down in level? {options}?",
        "Do you hear a tremolo in the sound? Reply with {options}.",
        "Is the sound unsteady in level? Say {options}.",
        "{options}: does the level of the sound fluctuate?",
    ),
    (
        "Is there a tremolo in the sound? Answer {options}.",
        "Does the level of the sound go up and down? Say {options}.",
    ),
    YES_NO,
)

HIGHER = _closed(
    "higher",
    ("first", "second"),
    "Which tone is higher?",
    lambda s: _pair(s, lambda e: e.frequency_hz, ("first", "second")),
    (
        "Which tone is higher in pitch? Answer {options}.",
        "There are two tones. Which one is higher? Answer {options}.",
        "Listen. Is the {options} tone higher?",
        "Compare the two tones. Which has the higher frequency? Reply with {options}.",
        "Which of the two beeps is higher? Say {options}.",
        "{options}: which tone has the higher pitch?",
    ),
    (
        "Which of the two tones has the higher pitch? Answer {options}.",
        "Compare the two beeps. Which one is higher? Say {options}.",
    ),
)

LOUDER = _closed(
    "louder",
    ("first", "second"),
    "Which sound is louder?",
    lambda s: _pair(s, lambda e: e.level_dbfs, ("first", "second")),
    (
        "Which sound is louder? Answer {options}.",
        "There are two sounds. Which one is louder? Answer {options}.",
        "Listen. Is the {options} sound louder?",
        "Compare the two sounds. Which has the higher level? Reply with {options}.",
        "Which of the two beeps is louder? Say {options}.",
        "{options}: which sound is the louder one?",
    ),
    (
        "Which of the two sounds has more level? Answer {options}.",
        "Compare the two beeps. Which one is louder? Say {options}.",
    ),
)

LONGER = _closed(
    "longer",
    ("first", "second"),
    "Which sound is longer?",
    lambda s: _pair(s, lambda e: e.duration_s, ("first", "second")),
    (
        "Which sound lasts longer? Answer {options}.",
        "There are two sounds. Which one is longer? Answer {options}.",
        "Listen. Is the {options} sound longer?",
        "Compare the two sounds. Which has the longer duration? Reply with {options}.",
        "Which of the two beeps lasts longer? Say {options}.",
        "{options}: which sound is the longer one?",
    ),
    (
        "Which of the two sounds has the longer duration? Answer {options}.",
        "Compare the two beeps. Which one lasts longer? Say {options}.",
    ),
)

ORDER = _closed(
    "order",
    ("high", "low"),
    "Which tone came first?",
    _order_truth,
    (
        "Two tones overlap. Which one began first? Answer {options}.",
        "Which tone started first, the {options} one?",
        "Listen. Which tone comes first? Reply with {options}.",
        "A high and a low tone: which one begins first? Answer {options}.",
        "Which of the two tones has the earlier onset? Say {options}.",
        "{options}: which tone starts first?",
    ),
    (
        "Which of the two tones begins first? Answer {options}.",
        "A high and a low tone: which has the earlier onset? Say {options}.",
    ),
)

JITTER = _closed(
    "jitter",
    ("yes", "no"),
    "Is the rhythm uneven?",
    _jitter_truth,
    (
        "Is the rhythm uneven? Answer {options}.",
        "Are the beeps unevenly spaced in time? Answer {options}.",
        "Listen. Is the rhythm irregular? {options}?",
        "Do the beeps come at unequal intervals? Reply with {options}.",
        "Does the beat stumble? Say {options}.",
        "{options}: is the rhythm irregular?",
    ),
    (
        "Do the intervals between the beeps differ? Answer {options}.",
        "Is the rhythm of the beeps unsteady? Say {options}.",
    ),
    YES_NO,
)

CUE = _closed(
    "cue",
    ("yes", "no"),
    "Does the first tone come back?",
    _detect_truth,
    (
        "The clip begins with a tone. Is it in the sound that follows too? Answer {options}.",
        "Does the first tone come back later in the clip? Answer {options}.",
        "Listen to the first tone. Is it part of the second sound? {options}?",
        "Is the tone at the start also in the mixture after it? Reply with {options}.",
        "Can you hear the first tone again among the others? Say {options}.",
        "{options}: does the mixture contain the first tone?",
    ),
    (
        "Is the first tone heard again in the mixture? Answer {options}.",
        "Does the second sound contain the tone at the start? Say {options}.",
    ),
    YES_NO,
)

STREAMS = _closed(
    "streams",
    ("one", "two"),
    "One stream or two?",
    lambda s: None,
    (
        "Do you hear one galloping melody or two separate streams? Answer {options}.",
        "How many streams of tones do you hear, {options}?",
        "Listen. Do the tones form {options} streams?",
        "Does the sequence split into {options} streams? Reply with one number word.",
        "Is it {options} melodies that you hear? Say which.",
        "{options}: how many separate streams do the tones form?",
    ),
    (
        "Do the tones belong to {options} streams? Answer with one word.",
        "How many melodies do you hear, {options}?",
    ),
    SUBJECTIVE,
)

TASKS = {
    task.name: task
    for task in (
        DETECT,
        COUNT,
        INTERVAL,
        GAP,
        MODULATED,
        HIGHER,
        LOUDER,
        LONGER,
        ORDER,
        JITTER,
        CUE,
        STREAMS,
    )
}


def task(name: str) -> Task:
    """The task called `name`; unknown names are refused."""
    if name not in TASKS:
        raise UserError(f"task {name!r} is not known; {choice(name, TASKS)}")
    return TASKS[name]
