"""Prompts are presets: checked, filled in one pass, empty letters as the preset says."""

from __future__ import annotations

import pytest
from asking import SHIPPED

from spectcount.benchmarks import catalogue, prompts
from spectcount.errors import UserError

GOOD = {"name": "x", "title": "T", "about": "A.", "template": "{question} {options}"}


def test_every_benchmark_has_two_prompts_and_all_that_are_shipped_load():
    names = prompts.names([SHIPPED])
    assert all(prompts.load(name, [SHIPPED]).name == name for name in names)
    for benchmark in catalogue.BENCHMARKS.values():
        assert len(benchmark.prompts) >= 2 and set(benchmark.prompts) <= set(names)


def test_an_empty_letter_is_left_out_or_shown_as_the_prompt_says():
    shown = (None, "male", None, "female")
    letter, none = (prompts.load(name, [SHIPPED]) for name in ("letter", "letter-none"))
    assert letter.words("Who?", shown).split("\n")[1:3] == ["B. male", "D. female"]
    assert "A. None\nB. male\nC. None\nD. female" in none.words("Who?", shown)


def test_braces_in_a_question_stay_as_they_are():
    prompt = prompts.from_dict(GOOD)
    assert prompt.words("a {options} {x}?", ("{question}", "b")) == (
        "a {options} {x}? A. {question}\nB. b"
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"template": "{question}"}, "needs {options}"),
        ({"option": "{letter}"}, "shows no {text}"),
        ({"option": "{text}"}, "none can be scored"),
        ({"scored": "word"}, "letter or text"),
        ({"colour": "red"}, "unknown key 'colour'"),
        ({"absent": 3}, "is no text"),
        ({"about": ""}, "lacks about"),
    ],
)
def test_a_prompt_that_cannot_be_used_is_refused(change, message):
    with pytest.raises(UserError, match=message):
        prompts.from_dict({**GOOD, **change})


def test_a_prompt_of_ones_own_is_a_file(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text('title: T\nabout: A.\ntemplate: "{question}|{options}"\n')
    assert prompts.load(str(path), [SHIPPED]).words("q", ("a", "b")) == "q|A. a\nB. b"
    with pytest.raises(UserError, match="did you mean letter"):
        prompts.load("lettre", [SHIPPED])
