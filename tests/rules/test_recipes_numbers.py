"""Recipes whose originals can't be installed here: the numbers of their definitions, over widths and depths."""

from __future__ import annotations

from math import sqrt

import numpy as np
import pytest

from fanin import Constant, FaninValueError
from fanin.rules import Parameter, Rules
from fanin.rules._recipe import OptimizerRule, evaluate

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
    return between(pytest.approx(-bound), pytest.approx(bound))


def between(low, high):
    return {"kind": "Uniform", "low": low, "high": high}


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


def test_megatron_by_other_layers():
    """Latent attention, grouped experts and shared ones are drawn as the plain matrices; routers' biases are drawn."""
    start, square = "decoder.layers.1", (8, 8)
    plain = ["self_attention.linear_q_proj.weight", "self_attention.linear_q_down_proj.weight",
             "self_attention.linear_q_up_proj.weight", "self_attention.linear_kv_down_proj.weight",
             "self_attention.linear_kv_up_proj.weight", "mlp.experts.linear_fc1.weight0",
             "mlp.shared_experts.gate_weight", "mlp.shared_experts.linear_fc1.weight"]
    expected = {f"{start}.{name}": (square, normal(0.02)) for name in plain}
    expected[f"{start}.mlp.router.bias"] = ((8,), normal(0.02))
    expected[f"{start}.mlp.linear_fc1.bias"] = expected[f"{start}.mlp.router.expert_bias"] = ((8,), constant(0.0))
    for name in ("mlp.experts.linear_fc2.weight11", "mlp.shared_experts.linear_fc2.weight"):
        expected[f"{start}.{name}"] = (square, normal(0.02 / sqrt(8)))
    check("megatron", expected, layers=8, branches=1)  # as in a hybrid model


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
        expected[f"value_embeds.{block}.weight"] = ((100, width // 2), uniform(bound))
        expected[f"transformer.h.{block}.attn.ve_gate.weight"] = ((4, 12), between(0.0, 0.02))
    expected |= {"smear_gate.weight": ((1, 24), between(0.0, 0.02)), "smear_lambda": ((1,), constant(0.0)),
                 "backout_lambda": ((1,), constant(0.2))}
    check("nanochat", expected, width=width)


def test_nanochats_lambdas_are_told():
    """What goes by its place in a vector over layers is no recipe's: without a rule it is an error."""
    name, values = "resid_lambdas", [1.15 - 0.10 * layer / 3 for layer in range(4)]
    vector = [Parameter(name, (4,), np.dtype("float32"))]
    rules = Rules.read("nanochat")
    with pytest.raises(FaninValueError, match="nobody knows that of resid_lambdas"):
        rules.assign(vector)
    [row] = rules.override({name: Constant(np.array(values))}).assign(vector)
    assert row.scheme((4,)).tolist() == pytest.approx(values)


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


SMALL_BY_DEPTH = ["self_attn.v_proj", "self_attn.out_proj", "fc1", "fc2"]


def stds_of(recipe, names, side, **variables):
    """{name: std} of square matrices."""
    shapes = [Parameter(f"{name}.weight", (side, side), np.dtype("float32")) for name in names]
    return dict(zip(names, (row.plan.std for row in Rules.read(recipe, **variables).assign(shapes)), strict=True))


def forward_of(recipe, **variables):
    """{what: factor} of the forward pass."""
    rules = Rules.read(recipe, **variables)
    return {each.what: evaluate(each.factor, rules.variables) for each in rules.recipe.forward}


@pytest.mark.parametrize("width, layers", SIZES)
def test_deepnorm(width, layers):
    """Xavier by (8N)^-1/4 for values, outputs and MLPs; the residual stream by (2N)^1/4; tokens N(0, 1/d) times √d."""
    xavier, beta = 1 / sqrt(width), (8 * layers) ** -0.25
    stds = {f"layers.0.{name}": beta * xavier for name in SMALL_BY_DEPTH}
    stds |= {"layers.0.self_attn.q_proj": xavier, "layers.0.self_attn.k_proj": xavier, "embed_tokens": xavier,
             "embed_positions": 1.0, "output_projection": xavier}
    assert stds_of("deepnorm", stds, width, layers=layers, width=width) == pytest.approx(stds)
    assert forward_of("deepnorm", layers=layers, width=width) == pytest.approx(
        {"residual stream": (2 * layers) ** 0.25, "token embedding": sqrt(width)})


def test_deepnorm_of_one_stack_refuses_two():
    """Constants of one stack would be wrong for a decoder that attends to an encoder: its values get nothing."""
    across = [Parameter("decoder.layers.0.encoder_attn.v_proj.weight", (8, 8), np.dtype("float32"))]
    with pytest.raises(FaninValueError, match="the recipe deepnorm gives nothing to v"):
        Rules.read("deepnorm", layers=2).assign(across)


@pytest.mark.parametrize("encoder, decoder", [(1, 1), (6, 6), (100, 6)])
def test_deepnorm_of_encoder_and_decoder(encoder, decoder):
    """Each stack has its own constants, which for the encoder go by both depths; attention across is the decoder's."""
    xavier, both = 1 / 8, encoder**4 * decoder
    stds = {f"encoder.layers.0.{name}": 0.87 * both ** (-1 / 16) * xavier for name in SMALL_BY_DEPTH}
    stds |= {f"decoder.layers.0.{name}": (12 * decoder) ** -0.25 * xavier
             for name in (*SMALL_BY_DEPTH, "encoder_attn.v_proj", "encoder_attn.out_proj")}
    stds |= {"encoder.layers.0.self_attn.q_proj": xavier, "decoder.layers.0.encoder_attn.k_proj": xavier}
    given = {"encoder_layers": encoder, "decoder_layers": decoder, "width": 64}
    assert stds_of("deepnorm-encoder-decoder", stds, 64, **given) == pytest.approx(stds)
    assert forward_of("deepnorm-encoder-decoder", **given) == pytest.approx(
        {"residual stream of the encoder": 0.81 * both ** (1 / 16),
         "residual stream of the decoder": (3 * decoder) ** 0.25, "token embedding": 8})


def test_lora():
    """A by its fan_in, B zero, the other way for embeddings; the base model is kept."""
    check("lora", {"q_proj.lora_A.default.weight": ((4, 64), uniform(1 / 8)),
                   "q_proj.lora_B.default.weight": ((64, 4), constant(0.0)),
                   "q_proj.lora_B.default.bias": ((64,), constant(0.0)),
                   "wte.lora_embedding_A.default": ((4, 100), constant(0.0)),
                   "wte.lora_embedding_B.default": ((64, 4), normal(1.0))})
    assert schemes("lora", {"q_proj.base_layer.weight": (8, 8), "norm.weight": (8,)}) == {}


@pytest.mark.parametrize("recipe", ["mup", "completep"])
@pytest.mark.parametrize("width", [64, 256])
def test_width_rules(recipe, width):
    """The hidden std goes by 1/sqrt(m) and by no depth; embedding, head, norms and biases stay."""
    square, block = (width, width), "transformer.h.0"
    hidden = normal(0.02 / sqrt(width / 64))
    check(recipe, {"transformer.wte.weight": ((100, width), normal(0.02)),
                   "transformer.wpe.weight": ((100, width), normal(0.02)),
                   "lm_head.weight": ((100, width), normal(0.02)),
                   f"{block}.attn.c_attn.weight": (square, hidden), f"{block}.attn.c_proj.weight": (square, hidden),
                   f"{block}.mlp.c_fc.weight": (square, hidden), f"{block}.mlp.c_proj.weight": (square, hidden),
                   f"{block}.mlp.c_fc.bias": ((width,), constant(0.0)),
                   "transformer.ln_f.weight": ((width,), constant(1.0))}, width=width, base_width=64, head_width=16)


def optimizer_of(recipe, role, in_block=True, **variables):
    """(lr, eps, weight decay) times, for a role."""
    rules = Rules.read(recipe, **variables)
    entries = (each for each in rules.recipe.optimizer if each.is_for(role, False, in_block))
    return tuple(next(entries, OptimizerRule()).factors(rules.variables).values())


@pytest.mark.parametrize("m", [1, 4])
def test_mup_beside_initial_weights(m):
    """Hidden matrices learn by 1/m, and decay by m in turn; all else as at the base width."""
    given = {"width": 64 * m, "base_width": 64, "head_width": 16}
    for role in ("qkv", "attention_out", "mlp_in", "mlp_out", "router"):
        assert optimizer_of("mup", role, **given) == (1 / m, 1, m)
    for role in ("token_embedding", "head", "norm", "bias"):
        assert optimizer_of("mup", role, **given) == (1, 1, 1)
    assert forward_of("mup", **given) == {"logits": 1 / m, "attention scores": 1 / 16}


@pytest.mark.parametrize("m, deeper, alpha", [(1, 1, 1.0), (4, 8, 1.0), (4, 8, 0.5)])
def test_completep_beside_initial_weights(m, deeper, alpha):
    """Table 1 of the paper: rates of matrices, norms and biases in blocks, and their epsilon; weight decay."""
    given = {"width": 64 * m, "base_width": 64, "head_width": 16, "layers": 2 * deeper, "alpha": alpha}
    rate, eps = deeper ** (alpha - 1), pytest.approx(deeper**-alpha / m)
    for role in ("qkv", "attention_out", "mlp_in", "mlp_out", "router"):
        assert optimizer_of("completep", role, **given) == (pytest.approx(rate / m), eps, m)
    for role in ("norm", "bias"):
        assert optimizer_of("completep", role, **given) == (pytest.approx(rate), eps, 1)
        assert optimizer_of("completep", role, in_block=False, **given) == (1, 1, 1)
    for role in ("token_embedding", "position_embedding", "head"):
        assert optimizer_of("completep", role, in_block=False, **given) == (1, 1, 1)
    assert forward_of("completep", **given) == pytest.approx(
        {"logits": 1 / m, "attention scores": 1 / 16, "residual branches": deeper**-alpha})


def test_fixup_asks_for_its_depth():
    """Blocks of several stages can't be counted from names: the number is asked for."""
    with pytest.raises(FaninValueError, match="`blocks` has no value"):
        schemes("fixup", {"layer1.0.conv1.weight": (8, 8, 3, 3)})
