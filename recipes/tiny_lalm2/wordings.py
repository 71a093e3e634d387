"""Many wordings of every task's question, from a small grammar.

A question is an opening, a core with synonyms, and a way of asking for the answer. `worded` draws
one: the task's own wordings of training a third of the time, else the grammar. What the tasks hold
out is never drawn, whatever its case.
"""

from __future__ import annotations

import re

import numpy as np

from spectcount.tasks import TASKS, Task

OWN_SHARE = 0.35
OTHER_CASE_SHARE = 0.1
CLIPS = ("clip", "recording", "audio")
OPENINGS = ("", "", "", "", "Listen.", "Listen to the {clip}.", "Question:", "Listen carefully.")
ASKING = (
    "Answer {options}.",
    "Reply with {options}.",
    "Say {options}.",
    "{options}?",
    "Please answer {options}.",
    "Choose {options}.",
    "Answer with {options}.",
    "",
)
ASKING_NUMBER = (
    "Answer with a number.",
    "Reply with a number.",
    "Say a number.",
    "Say how many.",
    "Please answer with a number.",
    "Answer with a digit.",
    "",
)
PULSES = ("beep", "tone", "pulse")
SOUNDS = ("sound", "tone", "noise")
PAIR = ("tone", "beep", "sound", "pulse")

CORES: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "detect": (
        PULSES,
        (
            "Is there a {noun}?",
            "Is there a {noun} in this {clip}?",
            "Is there any {noun} in the {clip}?",
            "Do you hear a {noun}?",
            "Do you hear any {noun} in the {clip}?",
            "Can you hear a {noun}?",
            "Can you hear any {noun} in this {clip}?",
            "Does the {clip} contain a {noun}?",
            "Does this {clip} have a {noun}?",
            "Is a {noun} present?",
            "Is a {noun} present in the {clip}?",
            "Is any {noun} audible in the noise?",
            "Is a {noun} audible?",
            "Is any sound event audible in the {clip}?",
            "Is there a sound event in the noise?",
        ),
    ),
    "count": (
        PULSES,
        (
            "How many {noun}s are there?",
            "How many {noun}s are there in the {clip}?",
            "How many {noun}s are in this {clip}?",
            "How many {noun}s do you hear?",
            "How many {noun}s can you hear in the {clip}?",
            "How many {noun}s does the {clip} contain?",
            "How many {noun}s does the {clip} have?",
            "Count the {noun}s.",
            "Count the {noun}s in this {clip}.",
            "Count all {noun}s in the {clip}.",
            "Count the {noun}s that you hear.",
            "What is the number of {noun}s?",
            "What is the number of {noun}s in the {clip}?",
            "What is the number of {noun}s that you can hear?",
            "Tell the number of {noun}s in this {clip}.",
        ),
    ),
    "interval": (
        PULSES,
        (
            "Which half has the {noun}?",
            "Which half of the {clip} has the {noun}?",
            "Which half of the {clip} contains the {noun}?",
            "In which half do you hear the {noun}?",
            "In which half of the {clip} is the {noun}?",
            "Which interval has the {noun}?",
            "Which interval of the {clip} contains the {noun}?",
            "There are two intervals. Which one has the {noun}?",
            "There are two intervals. Which one contains the {noun}?",
            "There are two halves. In which one is the {noun}?",
            "In which interval do you hear the {noun}?",
            "In which interval is the {noun}?",
            "Is the {noun} in the {options} interval?",
            "Is the {noun} in the {options} half of the {clip}?",
        ),
    ),
    "gap": (
        SOUNDS,
        (
            "Is there a gap in the {noun}?",
            "Is there a break in the {noun}?",
            "Is there a short pause in the {noun}?",
            "Is there a silence within the {noun}?",
            "Do you hear a gap in the {noun}?",
            "Do you hear a short pause in the {noun}?",
            "Do you hear a break within the {noun}?",
            "Can you hear a gap within the {noun}?",
            "Can you hear a pause in the {noun}?",
            "Does the {noun} have a break?",
            "Does the {noun} have a short gap in it?",
            "Does the {noun} stop for a moment?",
            "Does the {noun} stop for a moment and go on?",
            "Is the {noun} interrupted?",
            "Is the {noun} interrupted by a short silence?",
        ),
    ),
    "modulated": (
        SOUNDS,
        (
            "Does the loudness fluctuate?",
            "Does the loudness of the {noun} fluctuate?",
            "Does the level of the {noun} fluctuate?",
            "Does the {noun} go up and down in level?",
            "Does the loudness of the {noun} go up and down?",
            "Is the {noun} fluttering?",
            "Is the {noun} unsteady in level?",
            "Is the {noun} unsteady?",
            "Is the level of the {noun} unsteady?",
            "Is the loudness modulated?",
            "Is there a flutter in the {noun}?",
            "Do you hear a tremolo in the {noun}?",
            "Do you hear a flutter in the {noun}?",
            "Can you hear a tremolo in the {noun}?",
            "Does the {noun} have a tremolo?",
        ),
    ),
    "higher": (
        PAIR,
        (
            "Which {noun} is higher?",
            "Which {noun} is higher in pitch?",
            "Which {noun} has the higher pitch?",
            "Which {noun} has the higher frequency?",
            "Which of the two {noun}s is higher?",
            "Which of the two {noun}s has the higher frequency?",
            "There are two {noun}s. Which one is higher?",
            "There are two {noun}s. Which has the higher pitch?",
            "Compare the two {noun}s. Which has the higher frequency?",
            "Compare the two {noun}s. Which is higher in pitch?",
            "Is the {options} {noun} higher?",
            "Is the {options} {noun} the higher one?",
        ),
    ),
    "louder": (
        PAIR,
        (
            "Which {noun} is louder?",
            "Which {noun} has the higher level?",
            "Which {noun} has more level?",
            "Which {noun} is the louder one?",
            "Which of the two {noun}s is louder?",
            "Which of the two {noun}s has the higher level?",
            "There are two {noun}s. Which one is louder?",
            "There are two {noun}s. Which has more level?",
            "Compare the two {noun}s. Which has the higher level?",
            "Compare the two {noun}s. Which is the louder one?",
            "Is the {options} {noun} louder?",
            "Is the {options} {noun} the louder one?",
        ),
    ),
    "longer": (
        PAIR,
        (
            "Which {noun} is longer?",
            "Which {noun} lasts longer?",
            "Which {noun} has the longer duration?",
            "Which {noun} is the longer one?",
            "Which of the two {noun}s lasts longer?",
            "Which of the two {noun}s is longer?",
            "There are two {noun}s. Which one is longer?",
            "There are two {noun}s. Which one lasts longer?",
            "Compare the two {noun}s. Which has the longer duration?",
            "Compare the two {noun}s. Which is the longer one?",
            "Is the {options} {noun} longer?",
            "Is the {options} {noun} the longer one?",
        ),
    ),
    "order": (
        ("tone", "sound", "beep"),
        (
            "Which {noun} began first?",
            "Which {noun} started first?",
            "Which {noun} comes first?",
            "Which {noun} starts first?",
            "Which {noun} has the earlier onset?",
            "Which of the two {noun}s has the earlier onset?",
            "Which of the two {noun}s started first?",
            "Two {noun}s overlap. Which one began first?",
            "Two {noun}s overlap. Which one starts first?",
            "A high and a low {noun}: which one begins first?",
            "A high and a low {noun}: which one comes first?",
            "Which {noun} started first, the {options} one?",
        ),
    ),
    "jitter": (
        PULSES,
        (
            "Is the rhythm uneven?",
            "Is the rhythm irregular?",
            "Is the rhythm unsteady?",
            "Is the rhythm of the {noun}s uneven?",
            "Is the beat irregular?",
            "Does the beat stumble?",
            "Does the rhythm stumble?",
            "Are the {noun}s unevenly spaced in time?",
            "Are the {noun}s unevenly spaced?",
            "Are the intervals between the {noun}s unequal?",
            "Do the {noun}s come at unequal intervals?",
            "Do the {noun}s come at uneven intervals?",
            "Do the intervals differ?",
            "Do the intervals between {noun}s differ in the {clip}?",
        ),
    ),
    "cue": (
        ("tone", "beep"),
        (
            "Does the first {noun} come back?",
            "Does the first {noun} come back later in the {clip}?",
            "Is the first {noun} heard again later?",
            "Is the first {noun} heard again?",
            "Can you hear the first {noun} again among the others?",
            "Do you hear the first {noun} again in the second sound?",
            "Is the first {noun} part of the second sound?",
            "Is the {noun} at the start also in the mixture after it?",
            "Is the {noun} at the start heard again in the {clip}?",
            "The {clip} begins with a {noun}. Is it in the sound that follows too?",
            "The {clip} begins with a {noun}. Does it come back?",
            "Does the mixture contain the first {noun}?",
            "Does the second sound contain the first {noun}?",
            "Does the mixture contain the {noun} at the start?",
        ),
    ),
    "streams": (
        ("tone", "beep"),
        (
            "How many streams do you hear, {options}?",
            "How many streams of {noun}s do you hear?",
            "How many separate streams do the {noun}s form?",
            "How many separate melodies do the {noun}s form?",
            "Do the {noun}s form {options} streams?",
            "Do the {noun}s form {options} melodies?",
            "Does the sequence split into {options} streams?",
            "Do you hear {options} melodies?",
            "Do you hear one galloping melody or two separate streams?",
            "Is it {options} streams that you hear?",
            "Do the {noun}s belong to one melody or to two?",
        ),
    ),
}


def worded(task: Task, rng: np.random.Generator) -> str:
    """One wording of the question, the order of its options drawn too."""
    reverse = task.reversible and bool(rng.integers(2))
    while True:
        if rng.random() < OWN_SHARE:
            text = task.prompt(int(rng.integers(len(task.wordings))), reverse)
        else:
            text = _from_grammar(task, reverse, rng)
        if _plain(text) not in held_out(task):
            return text.lower() if rng.random() < OTHER_CASE_SHARE else text


def held_out(task: Task) -> frozenset[str]:
    """What is never drawn: the held-out wordings in both orders, case and stops aside."""
    indices = range(len(task.wordings), len(task.all_wordings))
    return frozenset(_plain(task.prompt(k, r)) for k in indices for r in (False, True))


def corpus(n: int, seed: int) -> list[str]:
    """`n` wordings of every task, for the tokenizer."""
    rng = np.random.default_rng(seed)
    return [worded(task, rng) for task in TASKS.values() for _ in range(n)]


def _from_grammar(task: Task, reverse: bool, rng: np.random.Generator) -> str:
    nouns, cores = CORES[task.name]
    core = str(rng.choice(cores))
    opening = str(rng.choice(OPENINGS))
    asks = ASKING if task.options else ASKING_NUMBER
    ask = "" if "{options}" in core and rng.random() < 0.7 else str(rng.choice(asks))
    if task.options and ask and rng.random() < 0.1:
        words = f"{{options}}: {core[0].lower()}{core[1:]}"
    else:
        words = " ".join(part for part in (opening, core, ask) if part)
    options = task.options[::-1] if reverse else task.options
    return words.format(
        noun=rng.choice(nouns), clip=rng.choice(CLIPS), options=" or ".join(options)
    )


def _plain(text: str) -> str:
    return re.sub(r"[^a-z ]", "", text.lower())
