"""The making of the second embedded model: its words, its diets, its targets, a few real steps."""

import dataclasses
import re

import numpy as np
import pytest

from recipes.tiny_lalm2 import diet, wordings
from spectcount.errors import UserError
from spectcount.scales import mel_centres_hz
from spectcount.stimulus import Event, Stimulus
from spectcount.tasks import TASKS


def plain(text):
    return re.sub(r"[^a-z ]", "", text.lower())


def clips(kind, wanted, n=30):
    results = []
    for i in range(4 * n):
        rng = np.random.default_rng(i)
        try:
            results.append(kind(diet.Draw(wanted, rng, (1.5, 2.5, 4.0)[i % 3], rng.random())))
        except UserError:
            continue
        if len(results) == n:
            return results
    raise AssertionError(f"{kind.__name__}: only {len(results)} of {4 * n} draws fit")


@pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))
def test_the_grammar_has_many_wordings_and_none_that_is_held_out(task):
    rng = np.random.default_rng(0)
    drawn = {plain(wordings.worded(task, rng)) for _ in range(400)}
    held_out = {
        plain(task.prompt(k, reverse))
        for k in range(len(task.wordings), len(task.all_wordings))
        for reverse in (False, True)
    }
    assert not drawn & held_out
    assert len(drawn) > 100
    assert {plain(task.prompt(0, False)), plain(task.prompt(0, True))} <= drawn


def test_every_word_of_a_held_out_wording_is_heard_elsewhere():
    known = set(re.findall("[a-z]+", " ".join(wordings.corpus(200, 1)).lower()))
    asked = {
        plain(task.prompt(k)) for task in TASKS.values() for k in range(len(task.all_wordings))
    }
    assert set(" ".join(asked).split()) <= known


@pytest.mark.parametrize("kind", diet.SHARES, ids=lambda kind: kind.__name__)
def test_both_answers_are_drawn_equally_often(kind):
    rng = np.random.default_rng(1)
    given = [
        (task, diet.answer(s, task, rng))
        for s, tasks in clips(kind, diet.ALIGNMENT, 60)
        for task in tasks
    ]
    for task in {task for task, _ in given}:
        answers = [a for t, a in given if t == task]
        assert None not in answers
        if task != "count":
            share = np.mean([a == TASKS[task].answers[0] for a in answers])
            assert 0.25 <= share <= 0.75, task


@pytest.mark.parametrize("kind", diet.SHARES, ids=lambda kind: kind.__name__)
def test_what_answers_are_taught_on_lies_inside_the_alignment(kind):
    low_hz, high_hz = mel_centres_hz()[[diet.ALIGNMENT.channel_low, diet.ALIGNMENT.channel_high]]
    for stimulus, _ in clips(kind, diet.ALIGNMENT):
        for event in stimulus.events:
            if event.wave == "sine" and kind not in (diet.limping, diet.galloping):
                assert low_hz - 1 <= event.frequency_hz <= high_hz + 1
            assert event.am_rate_hz <= diet.ALIGNMENT.rate_high_hz
            assert event.gap_ms == 0 or event.gap_ms >= diet.ALIGNMENT.silence_low_ms


def test_counted_pulses_keep_their_distance_and_fill_all_counts():
    counts = set()
    for stimulus, _ in clips(diet.counting, diet.ALIGNMENT, 80):
        counts.add(len(stimulus.events))
        onsets = zip(stimulus.events, stimulus.events[1:], strict=False)
        assert all(
            b.onset_s - a.offset_s >= diet.ALIGNMENT.gap_low_ms / 1000 - 1e-6 for a, b in onsets
        )
    assert {0, 1, 2, 5, 8, 9, 10} <= counts


def test_people_part_streams_by_separation_and_speed():
    def chance(apart, beat_ms):
        meta = {"params": {"tone_repetition_ms": beat_ms, "separation_semitones": apart}}
        return diet.two_streams(Stimulus(duration_s=1.0, meta=meta))

    assert chance(0, 125) < 0.05
    assert chance(18, 100) > 0.95
    assert chance(7, 60) > chance(7, 120) > chance(7, 200)


@pytest.mark.slow
def test_targets_tell_frame_band_channel_and_level():
    from recipes.tiny_lalm2 import hearing

    f_hz = float(mel_centres_hz()[64])
    tone = Event(onset_s=0.41, duration_s=0.1, frequency_hz=f_hz, level_dbfs=-10)
    gap = {"gap_ms": 60.0, "gap_onset_ms": 100.0}
    noise = Event(0.6, 0.3, 0.0, -20.0, "white", **gap)
    wanted = hearing.targets([Stimulus(duration_s=1.0, events=(tone, noise))], n_tokens=25)
    assert wanted.onset[0].nonzero().tolist() == [[10, 1, 8], [15, 0, hearing.BANDS]]
    sounding = wanted.sound[0].reshape(100, -1)
    assert sounding[:, 8].nonzero().flatten().tolist() == list(range(41, 51))
    silent = [k for k in range(60, 90) if sounding[k, hearing.BANDS] < 0.1]
    assert silent == list(range(70, 76))
    assert wanted.channel[0, 11].argmax() == 64
    assert wanted.level[0, 11, 8] == pytest.approx(1.0)
    assert wanted.level[0, 0].isnan().all()


@pytest.mark.slow
def test_pitch_and_loudness_are_of_the_loudest_sound_that_fills_a_token():
    from recipes.tiny_lalm2 import hearing
    from spectcount.scales import erb_number_to_hz

    low = Event(0.2, 0.4, float(erb_number_to_hz(18)), -30.0)
    high = Event(0.4, 0.4, float(erb_number_to_hz(26)), -10.0)
    heard = hearing.loudest([Stimulus(duration_s=1.0, events=(low, high))], n_tokens=25)
    assert heard.pitch[0, 6] == pytest.approx(0, abs=1e-3)
    assert heard.pitch[0, 12] == pytest.approx(1, abs=1e-3)
    assert heard.loudness[0, [6, 12]].tolist() == pytest.approx([0.0, 1.0])
    assert heard.pitch[0, [0, 24]].isnan().all()


@pytest.mark.slow
def test_intervals_stand_where_onsets_are():
    from recipes.tiny_lalm2 import hearing

    onsets_s = (0.1, 0.35, 0.352, 0.85)
    events = tuple(Event(onset_s, 0.1, 500.0, -20.0) for onset_s in onsets_s)
    wanted = hearing.intervals([Stimulus(duration_s=1.2, events=events)], n_tokens=30)[0]
    assert wanted.isfinite().nonzero().flatten().tolist() == [8, 21]
    assert wanted[[8, 21]].tolist() == pytest.approx([0.0, 1.0])


@pytest.mark.slow
def test_the_running_read_out_says_what_can_be_said_so_far():
    from recipes.tiny_lalm2 import running

    pair = (Event(0.2, 0.1, 500.0, -20.0), Event(0.6, 0.2, 800.0, -30.0))
    wanted = running.targets([(Stimulus(duration_s=1.2, events=pair), ("higher",))], n_tokens=30)
    assert wanted.count[0, [0, 5, 10, 16]].tolist() == [0, 1, 1, 2]
    last = dict(zip(running.TWO_CLASS, wanted.answers[0, -1].tolist(), strict=True))
    assert [last[name] for name in ("higher", "louder", "longer", "detect")] == [1, 0, 1, 0]
    assert last["gap"] == last["cue"] == running.IGNORED
    higher = wanted.answers[0, :, running.TWO_CLASS.index("higher")]
    assert higher[:20].eq(running.IGNORED).all()

    chord = (Event(0.2, 0.4, 500.0, -20.0), Event(0.3, 0.3, 800.0, -20.0))
    together = running.targets([(Stimulus(duration_s=1.0, events=chord), ("order",))], n_tokens=25)
    assert together.count.eq(running.IGNORED).all()


@pytest.fixture(scope="module")
def options():
    from recipes.tiny_lalm2.make import MakeOptions

    return MakeOptions(steps=4, batch=3, hearing_batch=1, threads=1)


@pytest.mark.slow
def test_draws_of_a_step_depend_on_seed_and_step_only(options):
    from recipes.tiny_lalm2.make import draw_batch

    draw_batch(options, 4)
    one, two = draw_batch(options, 7), draw_batch(options, 7)
    assert one.asked == two.asked
    np.testing.assert_array_equal(one.waveforms, two.waveforms)
    assert draw_batch(dataclasses.replace(options, seed=1), 7).asked != one.asked


@pytest.mark.slow
def test_questions_that_share_their_audio_lose_what_each_loses_alone(options):
    import torch

    from recipes.tiny_lalm2 import make
    from spectcount.training.losses import answer_batch, answer_loss

    trainer, batch = make.Trainer(options), make.draw_batch(options, 3)
    family, model, processor = make.FAMILY, trainer.model, trainer.processor
    with torch.no_grad():
        states = family.audio_states(model, torch.from_numpy(batch.waveforms[:3]), processor)
        audio = family.project(model, states)
        together, _ = make.answer_losses(model, make.pack(batch.asked, processor), audio)
        for i, questions in enumerate(batch.asked):
            for k, question in enumerate(questions):
                alone = answer_batch(
                    family, processor, [question.prompt], [question.answer], audio.shape[1]
                )
                loss = answer_loss(family, model, alone, audio[i : i + 1])
                assert together[i, k].item() == pytest.approx(loss.item(), abs=1e-5)


@pytest.mark.slow
def test_a_run_that_was_stopped_goes_on_to_the_same_bytes(options, tmp_path):
    import torch

    from recipes.tiny_lalm2 import make

    whole = make.Trainer(options)
    make.train(whole)
    first = make.Trainer(options)
    for batch, _ in zip(make.prefetch(options, 0), range(2), strict=False):
        first.update(batch)
    first.save_state(tmp_path)
    second = make.Trainer(options)
    second.load_state(tmp_path)
    make.train(second)
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, second.model.state_dict()[name]), name


@pytest.mark.slow
def test_the_model_loads_by_the_usual_path_is_small_and_gets_a_card(options, tmp_path):
    from recipes.tiny_lalm2 import card, make, stages
    from spectcount.listeners.loaded import LoadedModel

    trainer = make.Trainer(options)
    make.train(trainer)
    trainer.save(tmp_path / "m")
    assert sum(f.stat().st_size for f in (tmp_path / "m").iterdir()) < 12e6
    loaded = LoadedModel(tmp_path / "m")
    assert loaded.window_s == 10
    questions, second = card.counting_pairs(20)
    rung = stages.ladder(loaded, "aligned", questions, second)
    assert set(rung.areas) == set(stages.STAGES)
    assert "aligned" in card.stage_words([rung])


@pytest.mark.slow
def test_a_linear_read_out_finds_what_is_there_and_nothing_in_noise():
    from recipes.tiny_lalm2 import stages

    rng = np.random.default_rng(0)
    labels, groups = np.arange(400) % 2 == 1, np.arange(400) // 2
    values = rng.standard_normal((400, 30))
    nothing = stages.area(stages.out_of_fold(values, labels, groups), labels)
    assert abs(nothing - 0.5) < 0.08
    values[:, 3] += 1.5 * labels
    planted = stages.area(stages.out_of_fold(values, labels, groups), labels)
    assert planted == pytest.approx(0.856, abs=0.05)  # Phi(1.5 / sqrt 2)
