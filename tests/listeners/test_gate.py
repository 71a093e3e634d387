"""The choice of a path: without scale, at a real model's depth, with faults planted."""

import numpy as np
import pytest

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bf16(tmp_path_factory):
    import torch

    from tests.listeners.deep import deep

    return deep(torch.bfloat16, tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def float32(tmp_path_factory):
    import torch

    from tests.listeners.deep import deep

    return deep(torch.float32, tmp_path_factory.mktemp("home"))


def faulty(loaded, **methods):
    """The model's family with some of its methods replaced: f(original, ...)."""
    kind = type(loaded.family)
    patched = {
        name: lambda self, *given, f=f, name=name: f(
            lambda *g: getattr(kind, name)(self, *g), *given
        )
        for name, f in methods.items()
    }
    return loaded.of(type("Faulty", (kind,), patched)())


def without_layer(hidden, model, *given):
    inner = model.model.language_model
    layers = inner.layers
    inner.layers = layers[:14] + layers[15:]
    try:
        return hidden(model, *given)
    finally:
        inner.layers = layers


FAULTS = {
    "shifted mask": {
        "hidden": lambda f, model, e, mask, at: f(model, e, mask.roll(1, -1), at),
    },
    "previous token masked": {
        "hidden": lambda f, model, e, mask, at: f(model, e, _previous_masked(mask), at),
    },
    "dropped layer": {"hidden": without_layer},
    "missing scale": {"logits": lambda f, model, hidden: 1.1 * f(model, hidden)},
    "audio at half its scale": {"project": lambda f, model, states: 0.5 * f(model, states)},
    "audio too late": {
        "audio_states": lambda f, model, waves, p: f(model, waves.roll(1600, -1), p),
    },
}


def _previous_masked(mask):
    import torch

    masked = mask.clone()
    places = torch.arange(2, mask.shape[-1])
    masked[:, :, places, places - 1] = torch.finfo(mask.dtype).min
    return masked


@pytest.mark.parametrize("kind", ["bf16", "float32"])
def test_a_deep_model_is_staged(kind, request):
    from spectcount.listeners.scoring import gate

    path = gate.choose_path(request.getfixturevalue(kind))
    assert path.name == "staged", path.words
    assert "limit" in path.words


def test_the_gate_measures_no_scale(tmp_path):
    """Logits three times as large pass as well."""
    import torch

    from spectcount.listeners.scoring import gate
    from tests.listeners.deep import deep

    assert gate.choose_path(deep(torch.bfloat16, tmp_path, logit_std=15.0)).name == "staged"


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", ["bf16", "float32"])
def test_a_wrong_staged_path_is_refused(kind, fault, request):
    from spectcount.listeners.scoring import gate

    wrong = faulty(request.getfixturevalue(kind), **FAULTS[fault])
    path = gate.choose_path(wrong)
    assert path.name == "stock", fault
    assert path.cached
    assert "not the stock forward" in path.words


def test_a_tree_whose_branches_see_each_other_is_refused(bf16, monkeypatch):
    import torch

    from spectcount.listeners.scoring import gate, packing, staged

    def all_before(row):
        return torch.ones(len(row.nodes), len(row.nodes), dtype=torch.bool).tril()

    staged._rows.clear()
    monkeypatch.setattr(packing.Row, "ancestors", property(all_before))
    assert gate.choose_path(bf16).name == "stock"
    staged._rows.clear()


def test_a_cache_that_cannot_be_used_gives_way_to_whole_forwards(float32, monkeypatch):
    from spectcount.listeners.scoring import gate, stock

    unstaged = float32.of(type("Unstaged", (type(float32.family),), {"staged": False})())
    assert gate.choose_path(unstaged).cached
    monkeypatch.setattr(stock, "_behind", lambda model, ids, mask, cache: 1 / 0)
    with pytest.raises(ZeroDivisionError):  # no failure is swallowed that the program itself makes
        gate.choose_path(unstaged)

    def refuse(*_):
        raise ValueError("no cache here")

    monkeypatch.setattr(stock, "_behind", refuse)
    path = gate.choose_path(unstaged)
    assert not path.cached
    assert "no cache here" in path.words


@pytest.mark.parametrize("batch", [1, 3])
def test_the_cached_prefix_equals_whole_forwards(float32, batch):
    """All spellings of eleven counts, prompts of different lengths, one forward behind a cache."""
    import torch

    from spectcount.listeners.scoring import stock
    from spectcount.tasks import COUNTS

    rng = np.random.default_rng(0)
    clips = (0.1 * rng.standard_normal((batch, 8_000))).astype(np.float32)
    prompts = ["How many?", "How many beeps are there in this clip?", "Count."][:batch]
    closed = float32.speller.closed_set(COUNTS)
    parts = float32.family, float32.model, float32.processor, prompts, clips, closed
    with torch.inference_mode():
        fast = stock.cached_log_probs(*parts, float32.speller)
        slow = stock.appended_log_probs(*parts, float32.speller)
    np.testing.assert_allclose(fast, slow, atol=1e-3)


def test_logits_are_float32_where_they_are_read(bf16):
    """bfloat16 leaves about 85 distinct values among the thousand likeliest words."""
    import torch

    from spectcount.listeners.scoring import gate

    for way in ("staged", "stock"):
        logits = gate.canary_logits(bf16, way)[1]
        top = logits.topk(1000).values
        assert len(top.unique()) > 900, way
        assert not torch.equal(logits.bfloat16().float(), logits)


def test_a_spread_model_reads_float32_too(tmp_path):
    """Accelerate keeps a spread layer's own forward under another name."""
    import torch
    from accelerate import dispatch_model

    from spectcount.listeners.scoring import gate
    from tests.listeners.deep import deep

    found = deep(torch.bfloat16, tmp_path, encoder=1)
    before = gate.canary_logits(found, "staged")
    places = {name: "cpu" for name, _ in found.model.named_children()}
    dispatch_model(found.model, places, main_device="cpu", force_hooks=True)
    assert hasattr(found.model.get_output_embeddings(), "_old_forward")
    torch.testing.assert_close(gate.canary_logits(found, "staged"), before)
    assert len(before[1].topk(1000).values.unique()) > 900


def test_nothing_of_scoring_is_float64_on_the_device(float32):
    """A Mac's GPU has no float64: what is summed in it is on the CPU, in one dimension."""
    import torch
    from torch.utils._python_dispatch import TorchDispatchMode

    from spectcount.listeners.scoring import staged

    wide = []

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, call, types, args=(), kwargs=None):
            out = call(*args, **(kwargs or {}))
            made_there = call is not torch.ops.aten.lift_fresh.default  # of an array, on the CPU
            if (
                made_there
                and isinstance(out, torch.Tensor)
                and out.dtype == torch.float64
                and out.dim() > 1
            ):
                wide.append(str(call))
            return out

    closed = float32.speller.closed_set(("yes", "no"))
    parts = float32.family, float32.model, float32.processor
    clip = torch.zeros(1, 8_000)
    with torch.inference_mode(), Watch():
        heard = staged.hear(*parts, clip)
        staged.answer_log_probs(*parts, [[("Is it?", closed)]], heard, float32.speller)
    assert wide == []
