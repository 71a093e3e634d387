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


@pytest.fixture(scope="module")
def loud(tmp_path_factory):
    """bfloat16, where rounding makes as much as it does at a real model's full width."""
    import torch

    from tests.listeners.deep import FULL_GAIN, deep

    return deep(torch.bfloat16, tmp_path_factory.mktemp("home"), logit_std=3.0, gain=FULL_GAIN)


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


def later(hidden, model, embeds, mask, positions):
    """Positions that run twice as fast: a shift alone changes nothing under rotary positions."""
    return hidden(model, embeds, mask, 2 * positions)


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


def test_what_rounding_makes_of_a_wide_model_is_no_fault(loud):
    """The staged path differs from the stock one by more than the fixed limit, yet lies no further
    from it than the stock forward, rounded at random, lies from itself."""
    from spectcount.listeners.scoring import gate
    from spectcount.listeners.scoring.limits import LIMITS

    near = gate.compare(gate._seen(loud, "staged"), gate._seen(loud, "appended"), 0.0)
    floor = gate.rounding_floor(loud)
    assert LIMITS[loud.dtype].rms_share < near.rms_share < 1.1 * floor.rms_share
    path = gate.choose_path(loud)
    assert path.name == "staged", path.words
    assert f"rounding alone moves this model's stock forward by rms {floor.floor:.2g}" in path.words


def test_the_floor_is_measured_only_where_it_is_needed(bf16, monkeypatch):
    from spectcount.listeners.scoring import gate

    monkeypatch.setattr(gate, "rounding_floor", lambda loaded: 1 / 0)
    assert gate.choose_path(bf16).name == "staged"
    missing = faulty(bf16, **FAULTS["shifted mask"])
    assert gate.choose_path(missing).name == "stock"  # beyond what any floor would allow


def test_float32_has_no_floor(float32):
    """What rounding makes in float32 is far below any fault: no excuse is taken."""
    import torch

    from spectcount.listeners.scoring import gate
    from spectcount.listeners.scoring.limits import LIMITS, Limit, widened

    assert gate.rounding_floor(float32).rms_share == 0
    assert widened(torch.float32, Limit(1.0, 1.0)) == LIMITS[torch.float32]


def test_beyond_the_ceiling_nothing_passes():
    import torch

    from spectcount.listeners.scoring.limits import CEILINGS, Limit, widened

    most = widened(torch.bfloat16, Limit(0.5, 2.0))
    assert most.rms_share == CEILINGS[torch.bfloat16].rms_share
    assert most.answers_share == CEILINGS[torch.bfloat16].answers_share
    least = widened(torch.bfloat16, Limit(0.001, 0.001))
    assert least.rms_share == 0.03


def test_an_adapter_of_a_wide_model_is_held_to_the_models_own_rounding(loud, tmp_path):
    """With an adapter on, too, both paths differ by more than the fixed limit."""
    import torch
    from peft import LoraConfig, get_peft_model

    from spectcount.listeners.loaded import LoadedModel
    from spectcount.listeners.scoring import gate
    from spectcount.listeners.scoring.limits import LIMITS

    base, adapter = tmp_path / "base", tmp_path / "adapter"
    loud.model.save_pretrained(base)
    loud.processor.save_pretrained(base)
    loaded = LoadedModel(base, dtype=torch.bfloat16)
    assert loaded.path == "staged"
    targets = loaded.family.lora_targets("llm")
    tuned = get_peft_model(loaded.model, LoraConfig(r=2, target_modules=targets))
    for name, weight in tuned.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(weight, std=0.01)
    tuned.save_pretrained(adapter)
    again = LoadedModel(base, dtype=torch.bfloat16)
    with again.adapted(again.load_adapter(adapter)):
        one, other = (gate.canary_logits(again, path) for path in ("staged", "stock"))
    share = (one - other).square().mean().sqrt() / other.std()
    assert share > LIMITS[torch.bfloat16].rms_share


def test_rounding_at_random_leaves_the_model_as_it_was(loud):
    import torch

    from spectcount.listeners.scoring import gate, limits

    before = gate.canary_logits(loud, "stock")
    with limits.shaken(loud.model, 0):
        one = gate.canary_logits(loud, "stock")
    with limits.shaken(loud.model, 0):
        again = gate.canary_logits(loud, "stock")
    assert torch.equal(one, again)
    assert not torch.equal(one, before)
    assert torch.equal(gate.canary_logits(loud, "stock"), before)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("kind", ["bf16", "float32", "loud"])
def test_a_wrong_staged_path_is_refused(kind, fault, request):
    from spectcount.listeners.scoring import gate

    wrong = faulty(request.getfixturevalue(kind), **FAULTS[fault])
    path = gate.choose_path(wrong)
    assert path.name == "stock", fault
    assert path.way == "tree"
    assert "not the stock forward" in path.words


@pytest.mark.parametrize("kind", ["float32", "loud"])
def test_wrong_positions_are_refused(kind, request):
    """Where attention looks about evenly (narrow layers at their usual start) bfloat16 hides what
    positions make, so it is tried where it does not."""
    from spectcount.listeners.scoring import gate

    wrong = faulty(request.getfixturevalue(kind), hidden=later)
    assert gate.choose_path(wrong).name == "stock"


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
    assert gate.choose_path(unstaged).way == "tree"
    monkeypatch.setattr(stock, "_behind", lambda model, ids, mask, cache: 1 / 0)
    with pytest.raises(ZeroDivisionError):  # no failure is swallowed that the program itself makes
        gate.choose_path(unstaged)

    def refuse(*_):
        raise ValueError("no cache here")

    monkeypatch.setattr(stock, "_behind", refuse)
    path = gate.choose_path(unstaged)
    assert path.way == "appended"
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
        tree = stock.tree_log_probs(*parts, float32.speller)
        fast = stock.cached_log_probs(*parts, float32.speller)
        slow = stock.appended_log_probs(*parts, float32.speller)
    np.testing.assert_allclose(fast, slow, atol=1e-3)
    np.testing.assert_allclose(tree, slow, atol=1e-3)


def test_a_tree_is_one_row_a_prompt(float32, monkeypatch):
    """What made the cached prompt slow and large on a GPU: a copy of it for every leaf."""
    import torch

    from spectcount.listeners.scoring import stock
    from spectcount.tasks import COUNTS

    behind, shapes = stock._behind, []

    def counted(model, ids, *rest, **more):
        shapes.append(tuple(ids.shape))
        return behind(model, ids, *rest, **more)

    monkeypatch.setattr(stock, "_behind", counted)
    closed = float32.speller.closed_set(COUNTS)
    clips = np.zeros((3, 8_000), np.float32)
    parts = float32.family, float32.model, float32.processor, ["How many?"] * 3, clips, closed
    with torch.inference_mode():
        stock.tree_log_probs(*parts, float32.speller)
    ((rows, nodes),) = shapes
    assert rows == 3
    assert nodes == len({way[:k] for a in closed for way in a for k in range(1, len(way))})


@pytest.mark.parametrize(
    ("config", "refused"),
    [
        ({"layer_types": ["full_attention", "sliding_attention"]}, True),
        ({"layer_types": ["linear_attention"]}, True),
        ({"sliding_window": 512}, True),
        ({"layer_types": ["full_attention"], "sliding_window": 512}, False),
        ({"sliding_window": None}, False),
    ],
)
def test_layers_with_masks_of_their_own_get_no_common_one(config, refused):
    """The check's short clips would not show the error, a clip of 30 s would."""
    from types import SimpleNamespace

    from spectcount.listeners.scoring import stock

    text = SimpleNamespace(**config)
    model = SimpleNamespace(config=SimpleNamespace(get_text_config=lambda: text))
    if refused:
        with pytest.raises(ValueError, match="no common mask"):
            stock._refuse_other_masks(model)
    else:
        stock._refuse_other_masks(model)


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
