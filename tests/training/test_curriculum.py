"""Weak regions -> what is drawn: where it lies, in which mixture, reproducibly."""

from collections import Counter
from itertools import pairwise

import pytest

from spectcount.errors import UserError
from spectcount.scales import mel_centres_hz
from spectcount.training.curriculum import HELD_OUT, TRAINING, Sampler, strong_bands
from spectcount.training.options import Curriculum

HIGH = {"ranges": {"frequency_hz": [4200.0, 8000.0]}, "severity": 0.9}
LOW = {"ranges": {"frequency_hz": [0.0, 500.0]}, "severity": 0.3}
SHORT_CLIPS = Curriculum(clip_low_s=2, clip_high_s=5)


def sampler(regions=(HIGH,), curriculum=SHORT_CLIPS, seed=3, **kwargs):
    return Sampler(curriculum, list(regions), seed, window_s=10.0, **kwargs)


def only(source, **changes):
    shares = {"weak": (1, 0), "replay": (0, 1), "paper": (0, 0)}[source]
    return SHORT_CLIPS.replace(weak_share=shares[0], replay=shares[1], **changes)


def events_of(drawn):
    return [e for d in drawn for e in d.question.stimulus.events]


def test_question_i_depends_on_seed_and_i_alone():
    one, two = sampler(), sampler()
    two.question(9)
    assert [one.question(i).key for i in range(6)] == [two.question(i).key for i in range(6)]
    assert sampler(seed=4).question(0).key != one.question(0).key


def test_mixture_follows_the_shares():
    curriculum = SHORT_CLIPS.replace(weak_share=0.6, replay=0.3)
    found = Counter(sampler(curriculum=curriculum).draw(i).source for i in range(400))
    assert found["weak"] / 400 == pytest.approx(0.6, abs=0.08)
    assert found["replay"] / 400 == pytest.approx(0.3, abs=0.08)
    assert found["paper"] > 0


def test_weak_clips_lie_inside_their_region():
    drawn = [sampler(curriculum=only("weak")).draw(i) for i in range(60)]
    assert all(4200 <= e.frequency_hz <= 8000 for e in events_of(drawn))
    assert {d.source for d in drawn} == {"weak"}


def test_replay_lies_outside_every_region():
    drawn = [sampler((LOW, HIGH), only("replay")).draw(i) for i in range(60)]
    assert all(500 < e.frequency_hz < 4200 for e in events_of(drawn))


@pytest.mark.parametrize("onsets_s", [(0.0, 0.25), (3.0, 3.5), (8.0, 9.0)])
def test_regions_in_time_hold_every_onset(onsets_s):
    region = {"ranges": {"onset_s": list(onsets_s)}}
    drawn = [sampler([region], only("weak")).draw(i) for i in range(60)]
    assert events_of(drawn)
    assert all(onsets_s[0] - 1e-6 <= e.onset_s <= onsets_s[1] + 1e-6 for e in events_of(drawn))


def test_a_region_of_level_and_gap_is_kept():
    region = {"ranges": {"level_dbfs": [-45.0, -40.0], "gap_ms": [20.0, 30.0]}}
    for i in range(30):
        events = sampler([region], only("weak")).question(i).stimulus.events
        assert all(-45 <= e.level_dbfs <= -40 for e in events)
        gaps_ms = [1000 * (b.onset_s - a.offset_s) for a, b in pairwise(events)]
        assert all(19.9 <= gap <= 30.1 for gap in gaps_ms)


def test_sharpness_prefers_the_worst_region():
    def share_of_high(sharpness):
        curriculum = only("weak", sharpness=sharpness)
        drawn = [sampler((LOW, HIGH), curriculum).draw(i) for i in range(120)]
        with_events = [d for d in drawn if d.question.stimulus.events]
        high = [d for d in with_events if d.question.stimulus.events[0].frequency_hz > 4000]
        return len(high) / len(with_events)

    assert share_of_high(0) == pytest.approx(0.5, abs=0.15)
    assert share_of_high(4) > 0.9


def test_clips_of_a_group_share_one_length():
    lengths = [sampler(group=4).question(i).stimulus.duration_s for i in range(16)]
    groups = [set(lengths[k : k + 4]) for k in range(0, 16, 4)]
    assert all(len(group) == 1 for group in groups)
    assert len(set(lengths)) == 4
    assert all(2 <= length <= 5 for length in lengths)


def test_empty_clip_length_means_the_whole_window():
    assert sampler(curriculum=Curriculum()).question(0).stimulus.duration_s == 10.0


def test_held_out_questions_are_never_drawn_in_training():
    one = sampler()
    trained = {one.question(i).clip_hash for i in range(300)}
    asked = {q.clip_hash for source in ("weak", "replay") for q in one.held_out(source, 50)}
    assert not trained & asked
    assert TRAINING != HELD_OUT


def test_tasks_follow_their_shares_and_have_truths():
    curriculum = SHORT_CLIPS.replace(detect_share=0.3, interval_share=0.2)
    questions = [sampler(curriculum=curriculum).question(i) for i in range(300)]
    tasks = Counter(q.task_name for q in questions)
    assert tasks["detect"] / 300 == pytest.approx(0.3, abs=0.08)
    assert tasks["interval"] / 300 == pytest.approx(0.2, abs=0.08)
    assert all(q.truth is not None for q in questions)
    assert {q.truth for q in questions if q.task_name == "detect"} == {"yes", "no"}


def test_strong_bands_are_the_free_channels():
    last = len(mel_centres_hz()) - 1
    assert strong_bands([]) == [(0, last)]
    (band,) = strong_bands([HIGH, LOW])
    assert 0 < band[0] < band[1] < last
    assert strong_bands([{"ranges": {"frequency_hz": [0, 8000]}}]) == [(0, last)]


def test_what_no_map_covered_is_not_called_strong():
    region = {"ranges": {"frequency_hz": [2000, 3000]}, "probed": {"frequency_hz": [500, 3000]}}
    centres = mel_centres_hz()
    (band,) = strong_bands([region])
    assert centres[band[0] - 1] < 500 <= centres[band[0]]
    assert centres[band[1]] < 2000 <= centres[band[1] + 1]


@pytest.mark.parametrize(
    ("region", "reason"),
    [
        ({"severity": 1}, "has no ranges"),
        ({"ranges": {"frequency_hz": [900, 100]}}, "no range"),
        ({"ranges": {"loudness": [1, 2]}}, "has no parameter 'loudness'"),
        ({"ranges": {"duration_s": [8, 9]}}, "clip_low_s"),
        ({"ranges": {"level_dbfs": [-300, -200]}}, "below the limit"),
    ],
)
def test_impossible_regions_are_refused_before_training(region, reason):
    with pytest.raises(UserError, match=reason):
        sampler([region])


def test_bad_mixtures_are_refused():
    with pytest.raises(UserError, match="above 1"):
        Curriculum(weak_share=0.8, replay=0.4)
    with pytest.raises(UserError, match="swap"):
        Curriculum(count_low=9, count_high=2)
    with pytest.raises(UserError, match="longer than the model's window"):
        sampler(curriculum=Curriculum(clip_low_s=2, clip_high_s=20))
