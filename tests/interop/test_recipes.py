"""Recipes against the code that they are of."""

import numpy as np
import pytest
import torch
import transformers

from originals import compare, compare_with_original

SMALL = {"hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 128,
         "vocab_size": 200, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}


def made(config, architecture, **options):
    """A function that makes a model of transformers with its own initialization."""
    return lambda: getattr(transformers, architecture)(getattr(transformers, config)(**options))


ORIGINALS = {
    "gpt2": made("GPT2Config", "GPT2LMHeadModel", n_embd=64, n_layer=3, n_head=4, vocab_size=200, n_positions=64,
                 initializer_range=0.03, bos_token_id=1, eos_token_id=2),
    "llama": made("LlamaConfig", "LlamaForCausalLM", **SMALL, num_key_value_heads=2, initializer_range=0.01),
    "llama-mixtral": made("MixtralConfig", "MixtralForCausalLM", **SMALL, num_key_value_heads=2, num_local_experts=4),
    "llama-mistral": made("MistralConfig", "MistralForCausalLM", **SMALL, num_key_value_heads=2),
}


@pytest.mark.parametrize("case", ORIGINALS)
def test_a_recipe_is_what_its_source_does(case):
    """Every parameter gets the law that the model's own code gives it, its config's std included."""
    table = compare_with_original(ORIGINALS[case], case.partition("-")[0], draws=4)
    assert not table.warnings
    assert all(row["role"] for row in table.to_dicts() if "Buffer" not in row["note"] and row["rule"])


@pytest.mark.parametrize("change", [lambda x: x * 1.1, lambda x: x + 0.002, lambda x: np.clip(x, -0.04, 0.04)],
                         ids=["std", "mean", "bounds"])
def test_the_comparison_has_power(change):
    """A std or mean off by a tenth of the std, and cut tails, are found."""
    theirs, mine = np.random.default_rng(0).normal(0, 0.02, (2, 40_000))
    compare("same", theirs, mine)
    with pytest.raises(AssertionError):
        compare("other", theirs, change(mine))


def test_a_stage_of_a_model_has_the_whole_models_depth():
    """A part of a model, whose names count few layers, is scaled by its config's number of layers."""
    from fanin.torch import init_module

    model = ORIGINALS["gpt2"]()
    part = torch.nn.ModuleDict({"h": torch.nn.ModuleList([model.transformer.h[0]])})
    table = init_module(part, "gpt2", seed=0, partial=True)
    std = next(row.plan.std for row in table if row.parameter.name.endswith("attn.c_proj.weight"))
    assert std == pytest.approx(0.03 / 6**0.5)
