"""A dozen of transformers' architectures, of those that `tox -e sweep` builds: their own laws are the sets' laws."""

import pytest
import torch
import transformers

from sweep.architectures import build
from sweep.laws import differences, lenient, unexplained

DOZEN = ["bamba", "bert", "clip", "gemma3_text", "gpt2", "llama", "mamba", "mixtral", "qwen3_5_text", "qwen3_next",
         "t5", "vit"]


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", DOZEN)
def test_laws(name):
    """Constants exactly, mean and std within 5 sigma, but for the exceptions that are listed with their reasons."""
    transformers.logging.set_verbosity_error()
    torch.manual_seed(0)
    assert not unexplained(name, differences(build(name, "cpu"), lenient("transformer"), lenient("torch")))


def test_a_wrong_law_is_seen():
    """Power: a std that is 10 % off, and a norm's weight of 1 where it counts from zero, are differences."""
    torch.manual_seed(0)
    model = build("gemma3_text", "cpu")
    with torch.no_grad():
        model.model.layers[0].mlp.up_proj.weight.mul_(1.1)
        model.model.layers[1].input_layernorm.weight.add_(1)
    found = differences(model, lenient("transformer"), lenient("torch"))
    assert sorted(found) == ["model.layers.0.mlp.up_proj.weight", "model.layers.1.input_layernorm.weight"]
