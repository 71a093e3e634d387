"""What a step costs and learns from, for every family: the two paths give one loss and one
gradient, from answers alone; what is frozen builds no graph; layers may be computed again."""

import re

import numpy as np
import pytest
import torch

from spectcount.designs import Pulses, draw
from spectcount.errors import UserError
from spectcount.listeners.loaded import LoadedModel
from spectcount.listeners.scoring import stock
from spectcount.training import lora
from spectcount.training.losses import IGNORED, StagedLoss, StockLoss, answered, loss_of
from spectcount.training.options import LoraOptions
from spectcount.trials import Question
from tests.families.checkpoints import BUILDERS, build

pytestmark = pytest.mark.slow


def counted(*counts):
    """Questions whose answers differ in length: "1" and "10"."""
    clips = [
        draw(Pulses(duration_s=1.5, n_events=n, event_duration_ms=40, gap_ms=50), n) for n in counts
    ]
    return [Question(clip, "count", wording=i % 3) for i, clip in enumerate(clips)]


QUESTIONS = counted(1, 10, 3)


@pytest.fixture(scope="module", params=list(BUILDERS))
def base(request, tmp_path_factory):
    return LoadedModel(build(request.param, tmp_path_factory.mktemp("base") / request.param))


@pytest.fixture
def tuned(base):
    """tuned(scope) -> the base with a fresh adapter whose every matrix is random."""
    made = []

    def of(scope="both"):
        torch.manual_seed(0)
        options = LoraOptions(scope=scope, rank=2, dropout=0.0)
        made.append(lora.attach(base.family, base.model, options, "base"))
        for name, parameter in made[0].named_parameters():
            if "lora_B" in name:
                torch.nn.init.normal_(parameter, std=0.05)
        return made[0].train()

    yield of
    for module in base.model.modules():
        vars(module).pop("forward", None)
        vars(module).pop("gradient_checkpointing", None)
    if made:
        made[0].unload()
    base.model.eval()


def paths(base, hears_frozen=False):
    """The losses that the family can be trained by."""
    stock = StockLoss(base.family, base.processor)
    staged = StagedLoss(base.family, base.processor, hears_frozen)
    return [staged, stock] if base.path == "staged" else [stock]


def gradients(model, loss):
    """{name: gradient} of the adapter, and the loss."""
    model.zero_grad()
    value = loss(model.get_base_model(), loss.collate(QUESTIONS))
    value.backward()
    found = {n: p.grad.clone() for n, p in model.named_parameters() if p.grad is not None}
    assert any(g.abs().max() > 0 for g in found.values())
    return found, value.item()


def test_both_paths_give_one_loss_and_one_gradient(base, tuned):
    model = tuned()
    first, *others = [gradients(model, loss) for loss in paths(base)]
    plain = [(tuple(base.family.answer_ids(q.truth, base.processor)),) for q in QUESTIONS]
    with torch.inference_mode():
        expected = stock.nested_log_probs(  # what scoring says about the same spellings
            base.family,
            base.model,
            base.processor,
            [[(q.prompt, (way,))] for q, way in zip(QUESTIONS, plain, strict=True)],
            np.stack([q.audio() for q in QUESTIONS]),
            base.speller,
            stock.appended_log_probs,
        )
    n_labels = sum(len(base.family.answer_ids(q.truth, base.processor)) for q in QUESTIONS)
    assert first[1] == pytest.approx(-np.sum(expected) / n_labels, rel=1e-4)
    for found, value in others:
        assert value == pytest.approx(first[1], rel=1e-4)
        for name, gradient in first[0].items():
            torch.testing.assert_close(found[name], gradient, rtol=5e-3, atol=2e-5)


@pytest.mark.parametrize("scope", ["encoder", "projector", "llm"])
def test_an_adapter_sits_where_its_scope_says(base, tuned, scope):
    """Also where PEFT knows the model and rewrites what it is given (mixtures of experts)."""
    learns = {n for n, p in tuned(scope).get_base_model().named_parameters() if p.requires_grad}
    adapted = {re.sub(r"\.lora_[AB]\.default\.weight$", "", name) for name in learns}
    wanted = re.compile(base.family.lora_targets(scope))
    assert adapted and all(wanted.fullmatch(name) for name in adapted)


def test_labels_are_the_answer_and_the_end_of_its_turn(base):
    family, processor = base.family, base.processor
    for loss in paths(base):
        labels = loss.collate(QUESTIONS)["labels"]
        given = [[t for t in row if t != IGNORED] for row in labels.tolist()]
        assert given == [family.answer_ids(q.truth, processor) for q in QUESTIONS]


def test_the_output_layer_sees_answers_only(base, tuned):
    model, seen = tuned(), []
    head = model.get_base_model().get_output_embeddings()
    for loss in paths(base):
        hook = head.register_forward_hook(lambda _, given, out: seen.append(out.shape[1]))
        batch = loss.collate(QUESTIONS)
        loss(model.get_base_model(), batch)
        hook.remove()
        assert seen.pop() <= batch["labels"].shape[1] + 1 and not seen


@pytest.mark.parametrize("scope", ["llm", "encoder"])
def test_a_frozen_encoder_builds_no_graph(base, tuned, scope):
    model, built = tuned(scope), []
    heard = re.compile(rf".*({base.family.encoder})")

    def note(_, given, out):
        built.append(torch.is_tensor(out) and out.requires_grad)

    parts = [m for n, m in model.get_base_model().named_modules() if heard.fullmatch(n)]
    for loss in paths(base, lora.hears_frozen(LoraOptions(scope=scope))):
        built.clear()
        hooks = [part.register_forward_hook(note) for part in parts]
        loss(model.get_base_model(), loss.collate(QUESTIONS))
        for hook in hooks:
            hook.remove()
        assert built and any(built) == (scope == "encoder")


def test_layers_computed_again_give_the_same_gradients(base, tuned):
    model = tuned()
    loss = loss_of(base, False)
    kept, _ = gradients(model, loss)
    parts = [m for n, m in model.named_modules() if re.search(r"layers\.0$", n)]
    parts = [p for p in parts if any(type(m).__name__ == "_AdapterLinear" for m in p.modules())]
    assert lora.recompute_layers(model) >= len(parts) >= 1
    calls = []
    inner = [next(m for m in p.modules() if type(m).__name__ == "_AdapterLinear") for p in parts]
    hooks = [m.register_forward_hook(lambda *_: calls.append(1)) for m in inner]
    again, _ = gradients(model, loss)
    for hook in hooks:
        hook.remove()
    assert len(calls) == 2 * len(parts)
    for name, gradient in kept.items():
        torch.testing.assert_close(again[name], gradient, rtol=1e-5, atol=1e-7)


def test_the_base_is_the_base_after_training(base, tuned):
    before = canary(base)
    model = tuned()
    optimiser = torch.optim.AdamW((p for p in model.parameters() if p.requires_grad), lr=0.01)
    for _ in range(3):
        gradients(model, loss_of(base, False))
        optimiser.step()
    model.eval()
    assert not torch.allclose(canary(base), before)
    with model.disable_adapter():
        assert torch.equal(canary(base), before)


def test_a_bfloat16_base_keeps_its_adapter_in_float32(base):
    half = LoadedModel(base.folder, "cpu", torch.bfloat16)
    model = lora.attach(half.family, half.model, LoraOptions(rank=2, dropout=0.0), "base").train()
    given = []
    inside = (m for n, m in model.named_modules() if re.search(r"q\w*_proj\.lora_A\.default$", n))
    hook = next(inside).register_forward_pre_hook(lambda _, x: given.append(x[0].dtype))
    found, value = gradients(model, loss_of(half, False))
    hook.remove()
    assert given == [torch.bfloat16]
    assert {g.dtype for g in found.values()} == {torch.float32}
    with torch.no_grad():
        loss = loss_of(base, False)
        assert value == pytest.approx(loss(base.model, loss.collate(QUESTIONS)).item(), rel=0.1)


def canary(base):
    with torch.inference_mode():
        return base.prompt_logits(
            ["Is there a beep?"] * 3, np.stack([q.audio() for q in QUESTIONS])
        )


def test_shorter_answers_are_padded_where_nothing_looks():
    stock = {
        "input_ids": torch.tensor([[0, 5], [6, 7]]),
        "attention_mask": torch.tensor([[0, 1], [1, 1]]),
        "kind": torch.tensor([[1, 1], [1, 1]]),
        "input_features": torch.ones(2, 4, 3),
    }
    batch = answered(stock, [[8, 9], [9]], pad=1)
    assert batch["input_ids"].tolist() == [[0, 5, 8, 9], [6, 7, 9, 1]]
    assert batch["attention_mask"].tolist() == [[0, 1, 1, 1], [1, 1, 1, 0]]
    assert batch["kind"].tolist() == [[1, 1, 0, 0], [1, 1, 0, 0]]
    assert batch["labels"].tolist() == [[8, 9], [9, IGNORED]]
    assert batch["input_features"] is stock["input_features"]


def test_a_model_without_layers_to_compute_again_is_refused():
    with pytest.raises(UserError, match="no layers to compute again"):
        lora.recompute_layers(torch.nn.Linear(2, 2))
