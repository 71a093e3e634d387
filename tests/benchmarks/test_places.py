"""Preference for a place moves the plain scores and not the balanced one."""

from __future__ import annotations

import json
import shutil

import make_fixtures
import numpy as np
import pytest
from asking import Says, execute, truth

from spectcount.benchmarks import averages, catalogue, words

N = 240


@pytest.fixture(scope="module")
def skewed(tmp_path_factory):
    """An MMAU file of four options whose answers lie first in half of the items."""
    folder, rng = tmp_path_factory.mktemp("skewed"), np.random.default_rng(2)
    row = make_fixtures.mmau(tmp_path_factory.mktemp("one"))[0]
    rows = []
    for i in range(N):
        choices = [f"w{i}x{k}" for k in range(4)]
        at = 0 if i % 2 else int(rng.integers(1, 4))
        rows.append(
            {
                **row,
                "id": f"s{i}",
                "question": f"Which of {i}?",
                "choices": choices,
                "answer": choices[at],
                "audio_id": "one.wav",
            }
        )
    rows.append({**row, "id": "two", "choices": ["yes", "no"], "answer": "no"})
    make_fixtures.tone(folder / "one.wav", 440)
    (folder / "mmau-test-mini.json").write_text(json.dumps(rows))
    yield folder
    shutil.rmtree(folder)


def prefers(weights, seed, name):
    """Deaf: takes a place with these probabilities, whatever is asked."""
    rng = np.random.default_rng(seed)

    def reply(question):
        return question.answers[rng.choice(4, p=weights)] if len(question.answers) == 4 else "yes"

    return Says(reply, name)


def test_a_new_preference_improves_the_plain_scores_only_and_is_named(skewed):
    base, tuned = prefers([0, 0, 0, 1], 1, "base"), prefers([1, 0, 0, 0], 2, "tuned")
    summary, _ = execute("mmau", skewed, base, tuned)
    strict, official, balanced, first = summary["verdicts"]
    assert (strict["kind"], official["kind"]) == ("improved", "improved")
    assert balanced["kind"] == "no change shown" and balanced["interval"]["value"] == 0
    assert first["kind"] == "changed" and "chosen more often" in first["sentence"]
    for one in summary["listeners"].values():
        assert one["strict"]["balanced"]["score"]["value"] == 0.25
        assert one["strict"]["balanced"]["n"] == N
    assert [said.split(":")[0] for said in summary["caveats"]] == ["base", "tuned"]
    assert any(line.startswith("caution: tuned") for line in words.lines(summary))


def test_any_mixture_of_places_is_worth_one_over_m(skewed):
    found = [
        execute("mmau", skewed, prefers([0.4, 0.1, 0.3, 0.2], seed, "mix"))[0]["listeners"]["mix"]
        for seed in range(8)
    ]
    mean = np.mean([one["strict"]["balanced"]["score"]["value"] for one in found])
    assert mean == pytest.approx(0.25, abs=0.04)


def test_who_hears_gets_no_caution(skewed):
    summary, _ = execute("mmau", skewed, Says(truth))
    assert summary["caveats"] == []
    assert summary["listeners"]["says"]["strict"]["balanced"]["score"]["value"] == 1


def test_the_common_number_of_options_is_the_larger_of_two(data):
    _, items = catalogue.get("air-bench").load(data["air-bench"])
    of_two = next(item for item in items if len(item.choices) == 2)
    of_four = next(item for item in items if len(item.choices) == 4)
    assert averages.common_number([of_two, of_four]) == 4
    assert averages.common_number([of_two, of_four, of_two]) == 2
    assert averages.balanced_groups([of_two, of_four], 4) == [None, "0"]
