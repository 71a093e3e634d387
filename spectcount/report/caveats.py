"""Caveats, what a reader must know before believing: from the trials and the plan, not recited.

Conventions: a caveat is a sentence or two; general ones stand only where they apply.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from spectcount.configs import TuneConfig
from spectcount.listeners import EMBEDDED, ListenerSpec
from spectcount.probing.marks import front_end_marks
from spectcount.psychophysics.sdt import d_prime
from spectcount.report.evidence import Evidence
from spectcount.report.html import number

SMALL_N = 20
SMALL_TRACK = 40
FLOORS = ("first", "silence", "dsp")
LOPSIDED = 0.5
"""A criterion this far from 0 is a strong bias."""


def caveats(evidence: Evidence) -> list[str]:
    """Everything that limits what the run shows."""
    if evidence.plan is None:
        return [*_unfinished(evidence), *_of_tune(), *_lab_animal(evidence)]
    of_parts = [
        f"{part.label[:1].upper()}{part.label[1:]}: {text}" if part.label else text
        for part in evidence.parts
        for text in _of_part(part)
    ]
    return [
        *_unfinished(evidence),
        *of_parts,
        *_mass(evidence),
        *_unparsed(evidence),
        *_floors(evidence),
        *_who(evidence),
        *_lab_animal(evidence),
    ]


def _of_part(part: Evidence) -> list[str]:
    """Caveats of one plan."""
    grid = (_small, _ceiling, _bias, _front_end, _many, _shared, _perfect)
    about = (*(grid if part.gridded else ()), _functions, _shortcuts)
    return [text for find in about for text in find(part)]


def _functions(part: Evidence) -> Iterator[str]:
    """Limits of thresholds."""
    listed = [(name, t) for name, thresholds in part.thresholds.items() for t in thresholds]
    if any(not t.measurable for _, t in listed):
        yield (
            "“Not measurable” is a result: the answers do not hold a threshold in the tested "
            "range, and none is extrapolated."
        )
    for name, t in listed:
        if t.cautions:
            where = f", {t.condition}" if t.condition else ""
            yield (
                f"{name}{where}: {'; '.join(t.cautions)}. Look at the points before believing the "
                f"threshold of {t.parameter}."
            )
    if any(t.n < SMALL_TRACK for _, t in listed):
        yield (
            f"Some thresholds rest on fewer than {SMALL_TRACK} trials; their intervals are as wide "
            "as they say."
        )


def _shortcuts(part: Evidence) -> Iterator[str]:
    """Cues that answer the same clips by themselves."""
    audit = part.shortcuts
    if audit is None or part.in_panel:
        return
    for floor in audit.above:
        remedy = floor.theory or "vary it from clip to clip before calling this hearing"
        yield (
            f"{floor.words[:1].upper()}{floor.words[1:]} alone is right on "
            f"{100 * floor.rate.value:.0f} % of these clips (chance {100 * audit.chance:.0f} %): "
            f"{remedy}."
        )


def _unfinished(evidence: Evidence) -> Iterator[str]:
    run = evidence.run
    if run.state != "done":
        yield (
            f"The run is {run.state} at {run.done} of {run.total} "
            f"{'steps' if run.of_kind.trains else 'trials'}; what follows covers what there is."
        )


def _small(evidence: Evidence) -> Iterator[str]:
    if not evidence.cells:
        return
    least = min(int(cells.n.min()) for cells in evidence.cells.values())
    if least < SMALL_N:
        half = 0.98 / np.sqrt(max(least, 1))
        yield (
            f"Cells have as few as {least} signal trials: a rate near one half is known to about "
            f"±{100 * min(half, 0.5):.0f} percentage points, and the log-linear rule pulls d′ "
            "towards 0. Trust regions and pooled numbers before single cells."
        )


def _ceiling(evidence: Evidence) -> Iterator[str]:
    if not evidence.asked_plan.asked.two_class:
        return
    for name, cells in evidence.cells.items():
        if cells.d_prime is None:
            continue
        best = d_prime(cells.n, cells.n, 0, cells.n_catch).value
        at_top = (cells.hits == cells.n) & (cells.false_alarms == 0) & (cells.n > 0)
        if at_top.mean() > 0.5:
            yield (
                f"{name} made no mistake in {int(at_top.sum())} of {at_top.size} cells. There d′ "
                f"is not {number(float(np.max(best)))} but at least that: as much as so few "
                "trials can show. A change between listeners cannot be seen at a ceiling."
            )


def _bias(evidence: Evidence) -> Iterator[str]:
    if not evidence.asked_plan.asked.two_class:
        return
    first, second = evidence.asked_plan.asked.answers
    for name, pooled in evidence.pooled.items():
        c = pooled.criterion
        if c is not None and (c.low > LOPSIDED or c.high < -LOPSIDED):
            word = second if c.value > 0 else first
            yield (
                f"{name} is strongly inclined to say “{word}” (c = {number(c.value)}): its "
                "hit rate or accuracy alone says little; read d′ and AUC."
            )


def _mass(evidence: Evidence) -> Iterator[str]:
    for name, trials in evidence.by_listener.items():
        share = trials.tally.low_mass_share
        if share > 0:
            yield (
                f"On {100 * share:.0f} % of its trials {name} gave the closed answer set less than "
                "half of its probability: it would rather have said something else, and the "
                "ranking of the options stands for less."
            )


def _unparsed(evidence: Evidence) -> Iterator[str]:
    for name, trials in evidence.by_listener.items():
        tally = trials.tally
        if tally.n_unparsed:
            yield (
                f"{tally.n_unparsed} of {tally.n_replies} free replies of {name} name no single "
                "answer; their scores count nevertheless."
            )


def _front_end(evidence: Evidence) -> Iterator[str]:
    if evidence.counted:
        return
    marks = front_end_marks(evidence.asked_plan)
    silent, merged, n = int(marks.silent.sum()), int(marks.merged.sum()), marks.silent.size
    if silent:
        yield (
            f"In {silent} of {n} cells the probe does not change what a Whisper-type front end "
            "hands to the model: weakness there is not the model's."
        )
    if merged:
        yield (
            f"{merged} of {n} cells share all their Fourier bins with a neighbour: they are not "
            "independent, and must not be counted as separate findings."
        )


def _many(evidence: Evidence) -> Iterator[str]:
    n = len(evidence.asked_plan.cells)
    if n < 2:
        return
    yield (
        f"{n} cells are shown with intervals at 95 % each: expect about {max(1, round(n / 20))} "
        "to miss the truth by chance. Marks of change are controlled over the map (false-discovery "
        "rate), intervals are not. A finding should be confirmed with another seed."
    )


def _shared(evidence: Evidence) -> Iterator[str]:
    plan = evidence.asked_plan
    if plan.asked.two_class and len(plan.background_axes) < len(plan.axes):
        yield (
            "Cells with the same background share their catch trials: their d′ rise and fall "
            "together with one false-alarm rate."
        )


def _floors(evidence: Evidence) -> Iterator[str]:
    kinds = {name.partition(":")[0] for name in evidence.names}
    models = [n for n in evidence.names if n not in ("ideal", *FLOORS) and ":" not in n]
    if models and not kinds & set(FLOORS):
        yield (
            "No floor was asked beside the model. Ask `first`, `silence:MODEL` or `dsp` the same "
            "plan with the same seed: what they reach without listening is no achievement."
        )


def _perfect(evidence: Evidence) -> Iterator[str]:
    if any(np.isinf(p.ideal) for p in evidence.pooled.values()):
        yield (
            "Without white noise the ideal observer is perfect (d′ infinite); efficiency has no "
            "meaning here."
        )


def _who(evidence: Evidence) -> Iterator[str]:
    if evidence.run.of_kind.by_person:
        yield (
            "A person answered over equipment that was not calibrated: levels at the ear are "
            "unknown, and thresholds in dBFS hold for that equipment alone."
        )
    if any(ListenerSpec.parse(name).is_simulated for name in evidence.names):
        yield "A simulated listener answered: what it can hear was put in, not found out."
    yield from evidence.seen
    if any(ListenerSpec.parse(name).adapter for name in evidence.names) and not evidence.held_out:
        yield (
            "The tuned listener may have been trained on such sounds. A gain holds for other seeds "
            "and for ranges that training never drew only where those were tested."
        )


def _lab_animal(evidence: Evidence) -> Iterator[str]:
    who = [*evidence.names, TuneConfig.from_json(evidence.run.config).base]
    if any(str(ListenerSpec.parse(name).hearing.base) == EMBEDDED for name in who):
        yield (
            f"{EMBEDDED} is a lab animal: about a million parameters, trained for half an hour on "
            "synthetic tones. It shows that the method works and is no evidence about large models."
        )


def _of_tune() -> Iterator[str]:
    yield (
        "Held-out draws come from the distribution of the training, with other seeds. What was "
        "forgotten, and what transfers, only a comparison on other questions can show."
    )
