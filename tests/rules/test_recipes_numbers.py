"""Recipes whose originals can't be installed here: the numbers of their definitions, over widths and depths."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from fanin import FaninValueError
from fanin.rules import Parameter, Rules

SIZES = [(64, 1), (64, 4), (256, 6)]
EMBEDDING, HEAD, NORM = "tok_embeddings.weight", "output.weight", "norm.weight"


def schemes(recipe, shapes, **variables):
    """{name: scheme} of a recipe for parameters of these names and shapes."""
    table = Rules.read(recipe, **variables).assign(
        [Parameter(name, shape, np.dtype("float32")) for name, shape in shapes.items()])
    return {row.parameter.name: row.scheme for row in table if row.scheme is not None}


def law(scheme):
    """A scheme's kind and numbers, as far as they tell its law."""
    config = {key: value for key, value in scheme.get_config().items() if key not in ("scheme", "version", "mean")}
    return {"kind": type(scheme).__name__, **config}


def normal(std):
    return {"kind": "Normal", "std": pytest.approx(std)}


def constant(value):
    return {"kind": "Constant", "value": value}


def cut(std, by=3.0, bounds="std"):
    return {"kind": "TruncatedNormal", "std": pytest.approx(std), "lower": -by, "upper": by, "bounds": bounds}


def uniform(bound):
    return {"kind": "Uniform", "low": pytest.approx(-bound), "high": pytest.approx(bound)}


def check(recipe, expected, **variables):
    """Every parameter, given with its shape and law, has this law."""
    drawn = schemes(recipe, {name: shape for name, (shape, _) in expected.items()}, **variables)
    assert {name: law(scheme) for name, scheme in drawn.items()} == {name: told for name, (_, told) in expected.items()}


@pytest.mark.parametrize("width, layers", SIZES)
def test_torchtitan(width, layers):
    """wo, w2, w3 by the block's own depth, with bounds that are absolute; the head by the width."""
    square = (width, width)
    expected = {EMBEDDING: ((100, width), normal(1.0)), HEAD: ((100, width), cut(width**-0.5)),
                NORM: ((width,), constant(1.0))}
    for block in range(layers):
        deep = cut(0.02 / sqrt(2 * (block + 1)), 2.0, "absolute")
        for name in ("attention.wo", "feed_forward.w2", "feed_forward.w3", "moe.router.gate"):
            expected[f"layers.{block}.{name}.weight"] = (square, deep)
        for name in ("attention.wq", "attention.wk", "attention.wv", "feed_forward.w1"):
            expected[f"layers.{block}.{name}.weight"] = (square, cut(0.02, 2.0, "absolute"))
    check("torchtitan-llama3", expected)


@pytest.mark.parametrize("width, layers", SIZES)
@pytest.mark.parametrize("recipe", ["olmo-normal", "olmo-llama", "olmo-llama-depth"])
def test_olmo(recipe, width, layers):
    """The three differ in what their output matrices, the head and the embedding get."""
    square, plain = (width, width), recipe == "olmo-normal"
    expected = {"embeddings.weight": ((100, width), cut(0.02) if plain else normal(1.0)),
                "lm_head.w_out.weight": ((100, width), cut(0.02 if plain else width**-0.5))}
    for block in range(layers):
        deep = cut(0.02 / {"olmo-normal": 1, "olmo-llama": sqrt(2 * layers),
                           "olmo-llama-depth": sqrt(2 * (block + 1))}[recipe])
        for name in ("attention.w_out", "feed_forward.w2", "feed_forward.w3"):
            expected[f"blocks.{block}.{name}.weight"] = (square, deep)
        for name in ("attention.w_q", "attention.w_k", "attention.w_v", "feed_forward.w1"):
            expected[f"blocks.{block}.{name}.weight"] = (square, cut(0.02))
    check(recipe, expected, **({"layers": layers} if recipe == "olmo-llama" else {}))


@pytest.mark.parametrize("width", [64, 256])
def test_olmo_fan_in(width):
    """Each matrix goes by its own fan_in, without the depth; the embedding is a plain N(0, 1)."""
    check("olmo-fan-in", {"embeddings.weight": ((100, width), normal(1.0)),
                          "blocks.0.attention.w_out.weight": ((width, width), cut(width**-0.5)),
                          "blocks.0.feed_forward.w2.weight": ((width, 4 * width), cut((4 * width)**-0.5)),
                          "lm_head.w_out.weight": ((100, width), cut(width**-0.5))})


@pytest.mark.parametrize("width, layers", SIZES)
def test_megatron(width, layers):
    """Projections into the residual stream go by the number of layers; the embedding has its own std."""
    square = (width, width)
    expected = {"embedding.word_embeddings.weight": ((100, width), normal(1.0)),
                "output_layer.weight": ((100, width), normal(0.02))}
    for block in range(layers):
        start = f"decoder.layers.{block}"
        for name in ("self_attention.linear_proj", "mlp.linear_fc2"):
            expected[f"{start}.{name}.weight"] = (square, normal(0.02 / sqrt(2 * layers)))
        for name in ("self_attention.linear_qkv", "mlp.linear_fc1", "mlp.router"):
            expected[f"{start}.{name}.weight"] = (square, normal(0.02))
        expected[f"{start}.mlp.linear_fc1.layer_norm_weight"] = ((width,), constant(1.0))
    check("megatron", expected, embedding_std=1.0)


@pytest.mark.parametrize("width, layers", SIZES)
def test_nanochat(width, layers):
    """Uniform by the model's width, c_fc by 0.4 of it, and zeros into the residual stream; for one layer too."""
    square, bound = (width, width), sqrt(3 / width)
    expected = {"transformer.wte.weight": ((100, width), normal(0.8)),
                "lm_head.weight": ((100, width), normal(0.001))}
    for block in range(layers):
        for name in ("c_q", "c_k", "c_v"):
            expected[f"transformer.h.{block}.attn.{name}.weight"] = (square, uniform(bound))
        expected[f"transformer.h.{block}.attn.c_proj.weight"] = (square, constant(0.0))
        expected[f"transformer.h.{block}.mlp.c_fc.weight"] = ((4 * width, width), uniform(0.4 * bound))
        expected[f"transformer.h.{block}.mlp.c_proj.weight"] = ((width, 4 * width), constant(0.0))
    check("nanochat", expected, width=width)


@pytest.mark.parametrize("recipe, std", [("deepseek-v3", 0.006), ("gpt-oss", 0.02), ("whisper", 0.02)])
def test_one_std(recipe, std):
    """One std for every matrix of the model; biases are zeros, norms ones."""
    start = "model.layers.1"
    names = {"deepseek-v3": ["self_attn.kv_b_proj", "mlp.gate", "mlp.shared_experts.up_proj"],
             "gpt-oss": ["self_attn.q_proj", "mlp.router"], "whisper": ["self_attn.out_proj", "fc1"]}[recipe]
    expected = {f"{start}.{name}.weight": ((8, 8), normal(std)) for name in names}
    expected[f"{start}.input_layernorm.weight"] = ((8,), constant(1.0))
    expected[f"{start}.self_attn.q_proj.bias"] = ((8,), constant(0.0))
    if recipe == "gpt-oss":
        expected |= {f"{start}.self_attn.sinks": ((8,), normal(std)), f"{start}.mlp.router.bias": ((8,), normal(std))}
    check(recipe, expected)


@pytest.mark.parametrize("blocks", [1, 9, 54])
def test_fixup(blocks):
    """First convolutions go by the number of blocks, last ones and the classifier are zero."""
    check("fixup", {"layer1.0.conv1.weight": ((16, 8, 3, 3), normal(sqrt(2 / (16 * 9)) / sqrt(blocks))),
                    "layer1.0.conv2.weight": ((16, 16, 3, 3), constant(0.0)), "conv1.weight": ((16, 3, 3, 3),
                    uniform(1 / sqrt(27))), "layer1.0.bias1a": ((1,), constant(0.0)), "bias2": ((1,), constant(0.0)),
                    "layer1.0.scale": ((1,), constant(1.0)), "fc.weight": ((10, 64), constant(0.0)),
                    "fc.bias": ((10,), constant(0.0))}, blocks=blocks)


@pytest.mark.parametrize("width, layers", SIZES)
def test_deepnorm(width, layers):
    """Xavier by (8N)^-1/4 for values, outputs and MLPs; the residual stream by (2N)^1/4."""
    names = {"self_attn.v_proj": True, "self_attn.out_proj": True, "fc1": True, "fc2": True, "self_attn.q_proj": False}
    shapes = [Parameter(f"layers.0.{name}.weight", (width, width), np.dtype("float32")) for name in names]
    for row, small in zip(Rules.read("deepnorm", layers=layers).assign(shapes), names.values(), strict=True):
        gain = (8 * layers) ** -0.25 if small else 1
        assert row.plan.std == pytest.approx(gain / sqrt(width))
    [residual] = Rules.read("deepnorm").recipe.forward
    assert residual.factor == "=(2*layers)**0.25"


def test_lora():
    """A by its fan_in, B zero, the other way for embeddings; the base model is kept."""
    check("lora", {"q_proj.lora_A.default.weight": ((4, 64), uniform(1 / 8)),
                   "q_proj.lora_B.default.weight": ((64, 4), constant(0.0)),
                   "wte.lora_embedding_A.default": ((4, 100), constant(0.0)),
                   "wte.lora_embedding_B.default": ((64, 4), normal(1.0))})
    assert schemes("lora", {"q_proj.base_layer.weight": (8, 8), "norm.weight": (8,)}) == {}


@pytest.mark.parametrize("recipe", ["mup", "completep"])
@pytest.mark.parametrize("width, layers", SIZES)
def test_width_rules(recipe, width, layers):
    """The hidden std goes by 1/sqrt(m), embedding and head stay; rates and epsilon follow width and, in one, depth."""
    square, m = (width, width), width / 64
    depth = {"layers": layers, "base_layers": 2, "alpha": 0.5} if recipe == "completep" else {}
    given = {"width": width, "base_width": 64, "head_width": 16, **depth}
    check(recipe, {"transformer.wte.weight": ((100, width), normal(0.02)),
                   "lm_head.weight": ((100, width), normal(0.02)),
                   "transformer.h.0.attn.c_attn.weight": (square, normal(0.02 / sqrt(m))),
                   "transformer.h.0.mlp.c_proj.weight": (square, normal(0.02 / sqrt(m)))}, **given)
    rules = Rules.read(recipe, **given)
    [hidden] = rules.recipe.optimizer
    deeper = layers / 2 if depth else 1
    assert hidden.factors(rules.variables) == pytest.approx(
        {"lr": deeper**-0.5 / m, "eps": deeper**-0.5 / m if depth else 1, "weight_decay": 1})
    forward = {each.what: each.factor for each in rules.recipe.forward}
    assert forward["logits"] == "=base_width/width" and forward["attention scores"] == "=1/head_width"
    assert forward.get("residual branches") == ("=(layers/base_layers)**-alpha" if depth else None)


def test_fixup_asks_for_its_depth():
    """Blocks of several stages can't be counted from names: the number is asked for."""
    with pytest.raises(FaninValueError, match="`blocks` has no value"):
        schemes("fixup", {"layer1.0.conv1.weight": (8, 8, 3, 3)})
