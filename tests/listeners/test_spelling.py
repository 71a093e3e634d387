"""Answers in all their spellings, held against hand-made distributions."""

import shutil

import numpy as np
import pytest

from spectcount.errors import UserError
from spectcount.tasks import COUNTS

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def even(tmp_path_factory):
    """A deep model whose every next token is equally likely."""
    import torch

    from tests.listeners.deep import deep

    found = deep(torch.float32, tmp_path_factory.mktemp("home"), encoder=1)
    torch.nn.init.zeros_(found.model.get_output_embeddings().weight)
    found.n_words = found.model.get_output_embeddings().weight.shape[0]
    return found


def speller(loaded, mode="whole"):
    from spectcount.listeners.scoring.spelling import Speller

    return Speller(loaded.family, loaded.model, loaded.processor, mode)


def text(loaded, tokens):
    return loaded.processor.tokenizer.decode(list(tokens))


def scored(loaded, answers, by):
    """exp(log p) of each answer by the staged and by the stock path."""
    import torch

    from spectcount.listeners.scoring import staged, stock

    clip = np.zeros((1, 8_000), np.float32)
    asked = [[("How many?", by.closed_set(answers))]]
    parts = loaded.family, loaded.model, loaded.processor
    with torch.inference_mode():
        heard = staged.hear(*parts, torch.from_numpy(clip))
        one = staged.answer_log_probs(*parts, asked, heard, by)[0][0]
        other = stock.nested_log_probs(*parts, asked, clip, by)[0][0]
    np.testing.assert_allclose(one, other, atol=1e-4)
    return np.exp(one)


def test_an_answer_has_all_its_spellings(even):
    by = speller(even)
    yes, _ = by.closed_set(("yes", "no"))
    found = {text(even, way[:-1]) for way in yes}
    assert found >= {"yes", " yes", "yes.", " yes.", "Yes", "Yes.", " Yes."}
    three = {text(even, way[:-1]) for way in by.closed_set(COUNTS)[3]}
    assert three >= {"3", "3.", " 3", " 3."}


def test_number_words_and_digits_are_one():
    from spectcount.listeners.scoring.spelling import forms

    assert {"3", "three", "Three"} <= set(forms("3"))
    assert "2" in forms("two")
    assert forms("The Second one is far longer.") == ["The Second one is far longer."]


def test_no_spelling_belongs_to_two_answers(even):
    for answers in (COUNTS, ("a", "A", "b"), ("one", "1", "two")):
        ways = [way for answer in speller(even).closed_set(answers) for way in answer]
        assert len(ways) == len(set(ways))


def test_whole_replies_are_summed_over_spellings_and_ends(even):
    """Each token has probability 1/V: a way of n tokens V^-n."""
    by = speller(even)
    by.ends = (*by.ends, 7)
    closed, v = by.closed_set(COUNTS), even.n_words
    wanted = [sum(float(v) ** -len(way) for way in answer) for answer in closed]
    np.testing.assert_allclose(scored(even, COUNTS, by), wanted, rtol=1e-3)


def test_prefixes_leave_out_what_carries_the_word_on(even):
    """ "1" is not the start of "10", nor "no" of "nothing"; the rest of a reply is free."""
    by = speller(even, "prefix")
    tokenizer, v = even.processor.tokenizer, even.n_words
    on = sum(
        t[:1].isascii() and t[:1].isalnum()
        for t in (tokenizer.decode([i]) for i in range(len(tokenizer)))
    )
    assert on > 50
    ways = by.closed_set(("1", "10"))
    wanted = [sum(float(v) ** -(len(w) - 1) for w in answer) * (1 - on / v) for answer in ways]
    np.testing.assert_allclose(scored(even, ("1", "10"), by), wanted, rtol=1e-3)
    assert all(way[-1] == -1 for answer in ways for way in answer)


def test_prefixes_count_no_reply_twice(even):
    (yes, _) = speller(even, "prefix").closed_set(("yes", "no"))
    words = [way[:-1] for way in yes]
    assert not any(a != b and a[: len(b)] == b for a in words for b in words)


def test_an_answer_that_another_begins_with_is_refused_with_prefixes(even):
    """A reply "left ear" begins with "left" and would count for both."""
    for answers in (("left", "left ear"), ("1.5", "1", "2"), ("Piano", "piano and flute")):
        with pytest.raises(UserError, match=r"begins with the answer.* without \+prefix"):
            speller(even, "prefix").closed_set(answers)
        assert len(speller(even).closed_set(answers)) == len(answers)
    for answers in (COUNTS, ("no", "nothing"), ("a", "A")):
        speller(even, "prefix").closed_set(answers)


def test_ends_come_from_template_and_generation_configuration(even):
    before = even.model.generation_config.eos_token_id
    even.model.generation_config.eos_token_id = [3, 5, 10**6]
    try:
        ends = speller(even).ends
    finally:
        even.model.generation_config.eos_token_id = before
    assert ends[0] == even.family.end_id(even.processor)
    assert {3, 5} < set(ends) and 10**6 not in ends
    named = even.processor.tokenizer.convert_tokens_to_ids("<|im_end|>")
    assert named in ends


def test_a_model_that_thinks_first_is_not_scored(random_model_folder, tmp_path):
    from spectcount.designs import Pulses, draw
    from spectcount.listeners.audio_lm import AudioLM
    from spectcount.listeners.loaded import LoadedModel
    from spectcount.trials import Question

    folder = shutil.copytree(random_model_folder, tmp_path / "thinking")
    template = folder / "chat_template.jinja"
    words = template.read_text()
    assert "assistant\n" in words
    template.write_text(words.replace("assistant\n", "assistant\n<think>\n"))
    loaded = LoadedModel(folder)
    assert "open <think>" in loaded.thinks
    question = Question(draw(Pulses(duration_s=2.0), 1), "detect")
    listener = AudioLM(loaded, "thinking")
    with pytest.raises(UserError, match="thinks before it answers"):
        listener.score([question])
    assert list(listener.reply(question))


@pytest.mark.parametrize("mark", ["<think>", " <Thinking>", "[THINK]"])
def test_a_thought_that_only_the_reply_opens_is_seen_in_pieces(even, monkeypatch, mark):
    """No token of this tokenizer is the mark: the likeliest first one is a "<" or a space."""
    import torch

    from spectcount.listeners.scoring import gate

    ids = even.processor.tokenizer.encode(mark + " hm", add_special_tokens=False)
    assert even.processor.tokenizer.decode(ids[:1]).strip().lower() not in gate.THOUGHTS

    def generate(input_ids, **_):
        return torch.cat([input_ids, torch.tensor([ids])], dim=1)

    monkeypatch.setattr(even.model, "generate", generate)
    canary = torch.zeros(2, even.n_words)
    canary[:, ids[0]] = 9
    assert f"reply begins with {mark.strip().lower()}" in gate.thinks(even, canary)
    monkeypatch.setattr(gate, "THOUGHTS", ("<other>",))
    assert gate.thinks(even, canary) == ""
