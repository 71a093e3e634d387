"""A model of the embedded architecture with random weights, made once."""

import pytest


@pytest.fixture(scope="session")
def random_model_folder(tmp_path_factory):
    from recipes.tiny_lalm import model as tiny

    folder = tmp_path_factory.mktemp("models") / "random-lalm"
    processor = tiny.build_processor()
    tiny.build_model(processor, seed=1).save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def loaded(random_model_folder):
    from spectcount.listeners.loaded import LoadedModel

    return LoadedModel(random_model_folder)


@pytest.fixture
def make_adapter(random_model_folder, tmp_path):
    """make(name, scale) -> folder of a LoRA adapter whose B matrices are `scale` x noise."""

    def make(name, scale):
        import torch
        from peft import LoraConfig, get_peft_model

        from spectcount.listeners.families import FAMILIES

        model, _ = FAMILIES["qwen2-audio"].load(str(random_model_folder), "cpu", torch.float32)
        torch.manual_seed(7)
        tuned = get_peft_model(
            model, LoraConfig(r=4, target_modules=FAMILIES["qwen2-audio"].lora_targets("both"))
        )
        with torch.no_grad():
            for key, weight in tuned.named_parameters():
                if "lora_B" in key:
                    weight.normal_().mul_(scale)
        tuned.save_pretrained(tmp_path / name)
        return tmp_path / name

    return make
