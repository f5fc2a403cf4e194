"""The built-in rule sets on state dicts of real layers, written down as names and shapes."""

import math
import typing

import pytest

from fanin import Constant, FaninError, LogOfUniform, MambaALog, MambaDtBias
from fanin._dtypes import as_dtype
from fanin.rules import Parameter, Rules
from fanin.rules._files import rule_sets
from fanin.rules._names import RuleSet


def drawn(name, table):
    """(mean, std) of each tensor's plan under a rule set."""
    parameters = [Parameter(key, tuple(shape), as_dtype(dtype)) for key, (shape, dtype) in table.items()]
    return {row.parameter.name: (row.plan.mean, row.plan.std) for row in Rules.read(name).assign(parameters)}


def bound(fan_in):
    """(mean, std) of U(-1/sqrt(fan_in), 1/sqrt(fan_in))."""
    return 0.0, 1 / math.sqrt(3 * fan_in)


# name: (shape, dtype, (mean, std)) as torch 2.13's modules start
TORCH = {
    "conv.weight": ([64, 3, 7, 7], "float32", bound(147)),
    "conv.bias": ([64], "float32", bound(147)),
    "grouped.weight": ([64, 1, 3], "float32", bound(3)),
    "bn1.weight": ([64], "float32", (1.0, 0.0)),
    "bn1.bias": ([64], "float32", (0.0, 0.0)),
    "bn1.running_mean": ([64], "float32", (0.0, 0.0)),
    "bn1.running_var": ([64], "float32", (1.0, 0.0)),
    "bn1.num_batches_tracked": ([], "int64", (0.0, 0.0)),
    "downsample.1.weight": ([64], "float32", (1.0, 0.0)),
    "downsample.1.bias": ([64], "float32", (0.0, 0.0)),
    "fc.weight": ([10, 512], "float32", bound(512)),
    "fc.bias": ([10], "float32", bound(512)),
    "no_bias.weight": ([10, 7], "float32", bound(7)),
    "word_embeddings.weight": ([1000, 32], "float32", (0.0, 1.0)),
    "transformer.wte.weight": ([1000, 32], "float32", (0.0, 1.0)),
    "embed_proj.weight": ([16, 32], "float32", bound(32)),
    "embed_proj.bias": ([16], "float32", bound(32)),
    "embeddings.LayerNorm.weight": ([32], "float32", (1.0, 0.0)),
    "embeddings.LayerNorm.bias": ([32], "float32", (0.0, 0.0)),
    "rms.weight": ([32], "float32", (1.0, 0.0)),
    "lstm.weight_ih_l0": ([80, 5], "float32", bound(20)),
    "lstm.weight_hh_l0": ([80, 20], "float32", bound(20)),
    "lstm.bias_ih_l0": ([80], "float32", bound(20)),
    "lstm.bias_hh_l0": ([80], "float32", bound(20)),
    "lstm.weight_ih_l0_reverse": ([80, 5], "float32", bound(20)),
    "lstm.weight_hh_l0_reverse": ([80, 20], "float32", bound(20)),
    "cell.weight_ih": ([60, 5], "float32", bound(20)),
    "cell.weight_hh": ([60, 20], "float32", bound(20)),
    "cell.bias_hh": ([60], "float32", bound(20)),
    "attn.in_proj_weight": ([48, 16], "float32", (0.0, math.sqrt(2 / 64))),
    "attn.in_proj_bias": ([48], "float32", (0.0, 0.0)),
    "attn.out_proj.weight": ([16, 16], "float32", bound(16)),
    "attn.out_proj.bias": ([16], "float32", (0.0, 0.0)),
    "attn.bias_k": ([1, 1, 16], "float32", (0.0, math.sqrt(2 / 32))),
    "other.out_proj.weight": ([16, 16], "float32", bound(16)),
    "other.out_proj.bias": ([16], "float32", bound(16)),
    "prelu.weight": ([1], "float32", (0.25, 0.0)),
}


def test_torch_set_is_what_torchs_layers_start_from():
    """Each kind of layer has its own distribution, told from names, ranks and siblings."""
    found = drawn("torch", {name: (shape, dtype) for name, (shape, dtype, _) in TORCH.items()})

    for name, (_, _, (mean, std)) in TORCH.items():
        assert found[name] == (pytest.approx(mean, abs=1e-6), pytest.approx(std, rel=1e-6, abs=1e-12)), name


def test_torch_set_works_without_a_prefix():
    """The state dict of a single Linear has names without dots."""
    assert drawn("torch", {"weight": ([4, 9], "float32"), "bias": ([4], "float32")}) == {
        "weight": pytest.approx(bound(9), rel=1e-6), "bias": pytest.approx(bound(9), rel=1e-6)}


TRANSFORMER = {
    "model.embed_tokens.weight": ([100, 8], "bfloat16", (0.0, 0.02)),
    "h.0.attn.c_attn.weight": ([8, 24], "float32", (0.0, 0.02)),
    "h.0.attn.c_attn.bias": ([24], "float32", (0.0, 0.0)),
    "h.0.ln_1.weight": ([8], "float32", (1.0, 0.0)),
    "LayerNorm.gamma": ([8], "float32", (1.0, 0.0)),
    "LayerNorm.beta": ([8], "float32", (0.0, 0.0)),
    "cls.predictions.bias": ([100], "float32", (0.0, 0.0)),
    "cls_token": ([1, 1, 8], "float32", (0.0, 0.02)),
    "pos_embed": ([1, 5, 8], "float32", (0.0, 0.02)),
    "patch_embed.proj.weight": ([8, 3, 2, 2], "float32", (0.0, 0.02)),
    "embeddings.token_type_ids": ([1, 512], "int64", (0.0, 0.0)),
}


def test_transformer_set():
    """Weights N(0, 0.02^2), norms one and zero, biases zero, token types zero."""
    found = drawn("transformer", {name: (shape, dtype) for name, (shape, dtype, _) in TRANSFORMER.items()})

    for name, (_, _, (mean, std)) in TRANSFORMER.items():
        assert found[name] == (pytest.approx(mean), pytest.approx(std, rel=1e-3)), name


@pytest.mark.parametrize(("rules", "name", "shape"), [
    ("transformer", "rotary_emb.inv_freq", [32]),
    ("transformer", "h.0.attn.bias", [1, 1, 64, 64]),
    ("transformer", "logit_scale", []),
    ("transformer", "layers.0.gamma", [8]),
    ("transformer", "ssm.dt_bias", [8]),
    ("transformer", "ssm.dt_proj.bias", [8]),
    ("transformer", "ssm.D", [8]),
    ("torch", "lstm.weight_hr_l0", [5, 20]),
    ("torch", "linear.weight_g", [5, 1]),
    ("torch", "cls_token", [1, 1, 8]),
])
def test_what_a_set_cannot_know_it_refuses(rules, name, shape):
    """A tensor whose values don't follow from name and shape is an error, not a guess."""
    with pytest.raises(FaninError, match=f"every parameter must match a rule: add one for {name}"):
        drawn(rules, {name: (shape, "float32")})


STATE_SPACE = {
    "mamba.A_log": ([8, 4], MambaALog()), "mamba.D": ([8], Constant(1.0)), "mamba.dt_proj.bias": ([8], MambaDtBias()),
    "mamba2.A_log": ([6], LogOfUniform(1.0, 16.0)), "mamba2.D": ([6], Constant(1.0)),
    "mamba2.dt_bias": ([6], MambaDtBias()), "heads.A_log": ([2, 4, 3], MambaALog()), "heads.D": ([2, 4], Constant(1.0)),
    "heads.dt_proj_bias": ([2, 4], MambaDtBias()), "delta.A_log": ([1, 1, 6, 1], LogOfUniform(1.0, 16.0)),
    "delta.dt_bias": ([12], MambaDtBias()),
}


@pytest.mark.parametrize("rules", ["transformer", "torch"])
def test_state_space_parameters_have_their_own_laws(rules):
    """Known by an A_log beside them: with an axis of states Mamba's, without one Mamba-2's."""
    parameters = [Parameter(name, tuple(shape), as_dtype("float32")) for name, (shape, _) in STATE_SPACE.items()]
    assert {row.parameter.name: row.scheme for row in Rules.read(rules).assign(parameters)} == \
        {name: scheme for name, (_, scheme) in STATE_SPACE.items()}


def test_the_literals_for_editors_are_the_files():
    """What editors offer for `Rules.read` is what there is."""
    assert list(typing.get_args(RuleSet)) == rule_sets()
