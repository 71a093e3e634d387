"""DSP floors of gap, modulated, higher, louder and longer: right where it is easy, at chance where
the two sounds are all but the same; detect of a tone in noise below the ideal observer."""

from __future__ import annotations

import numpy as np
import pytest

from spectcount.designs.duration_discrimination import DurationDiscrimination
from spectcount.designs.frequency_discrimination import FrequencyDiscrimination
from spectcount.designs.gap import Gap
from spectcount.designs.level_discrimination import LevelDiscrimination
from spectcount.designs.modulation import Modulation
from spectcount.designs.tone_in_noise import ToneInNoise
from spectcount.errors import UserError
from spectcount.listeners.observers.dsp import FLOORS, DspCounter
from spectcount.pairs import draw_pair
from spectcount.psychophysics.sdt import auc
from spectcount.tasks import TASKS
from spectcount.trials import Question

EASY = {
    "gap, white": ("gap", Gap(carrier_wave="white", level_rove_db=5)),
    "gap, band": ("gap", Gap(carrier_wave="band", level_rove_db=5)),
    "gap, tone": ("gap", Gap(carrier_wave="tone", level_rove_db=5)),
    "modulated, white": ("modulated", Modulation(level_rove_db=3)),
    "modulated, tone": ("modulated", Modulation(carrier_wave="tone", am_rate_hz=40)),
    "higher": ("higher", FrequencyDiscrimination(frequency_rove_cam=4, level_rove_db=5)),
    "louder, tone": ("louder", LevelDiscrimination(overall_rove_db=8)),
    "louder, white": ("louder", LevelDiscrimination(carrier_wave="white", overall_rove_db=8)),
    "longer, tone": ("longer", DurationDiscrimination(duration_rove_percent=30, level_rove_db=4)),
    "longer, white": ("longer", DurationDiscrimination(carrier_wave="white", level_rove_db=4)),
    "detect": ("detect", ToneInNoise(frequency_rove_cam=5)),
    "interval": ("interval", ToneInNoise(frequency_rove_cam=5)),
}
NO_DIFFERENCE = {
    "gap": ("gap", Gap(gap_ms=0.1, gap_ramp_ms=0)),
    "modulated": ("modulated", Modulation(am_depth_db=-60)),
    "higher": ("higher", FrequencyDiscrimination(difference=0.01, noise_sigma=0.05)),
    "louder": ("louder", LevelDiscrimination(difference_db=0.01, noise_sigma=0.1)),
    "longer": ("longer", DurationDiscrimination(difference=0.1, carrier_wave="white")),
    "detect": ("detect", ToneInNoise(e_n0_db=-20)),
    "interval": ("interval", ToneInNoise(e_n0_db=-20)),
}


def graded(design, name, n):
    """The floor's log-odds for n signals and n counterparts, [2, n]."""
    questions = [Question(one, name) for s in range(n) for one in draw_pair(design, s, name)]
    log_probs = DspCounter().score(questions).log_probs
    return (log_probs[:, 0] - log_probs[:, 1]).reshape(n, 2).T


@pytest.mark.parametrize("case", EASY)
def test_the_floor_is_right_where_it_is_easy(case):
    name, design = EASY[case]
    signal, other = graded(design, name, 15)
    assert np.mean(signal > 0) >= 0.9 and np.mean(other < 0) >= 0.9


@pytest.mark.parametrize("case", NO_DIFFERENCE)
def test_the_floor_is_at_chance_where_there_is_no_difference(case):
    """Signals and counterparts of different seeds, so that shared noise cancels nothing."""
    name, design = NO_DIFFERENCE[case]
    signal, other = graded(design, name, 60)
    area = auc(signal[:30], other[30:], level=0.999)
    assert area.low <= 0.5 <= area.high


def test_the_floor_of_a_tone_in_noise_lies_below_the_ideal_observer():
    signal, other = graded(ToneInNoise(e_n0_db=9.0), "detect", 40)
    assert auc(signal, other).value < 0.9, "the ideal observer's d' is 4, its area 0.998"


def test_one_burst_or_none_leaves_the_comparison_open():
    silence, one = np.zeros(16000, np.float32), np.zeros(16000, np.float32)
    one[4000:8000] = 0.1 * np.sin(np.arange(4000))
    for wave in (silence, one):
        for name in ("higher", "louder", "longer"):
            scores = DspCounter().score([Question(None, name, waveform=wave)]).log_probs[0]
            assert np.exp(scores) == pytest.approx([0.5, 0.5])


@pytest.mark.parametrize("name", FLOORS)
def test_every_floor_answers_silence_and_noise_of_any_length(name):
    rng = np.random.default_rng(1)
    for n in (800, 16000):
        for wave in (np.zeros(n), 0.1 * rng.standard_normal(n)):
            question = Question(None, name, waveform=wave.astype(np.float32))
            log_probs = DspCounter().score([question]).log_probs
            assert np.exp(log_probs).sum() == pytest.approx(1)


def test_a_task_without_a_floor_is_refused():
    without = [name for name in TASKS if name not in FLOORS]
    assert without == ["streams"]
    question = Question(None, "streams", waveform=np.zeros(16000, np.float32))
    with pytest.raises(UserError, match="no rule for the task 'streams'; ask it about one of"):
        DspCounter().score([question])
