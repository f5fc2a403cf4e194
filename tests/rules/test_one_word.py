"""One word initializes a network: weights get it, all else what it starts from, and what nobody knows is an error."""

import numpy as np
import pytest

from fanin import Constant, FaninError, Normal, Orthogonal, Registry, Rules, Sparse, VarianceScaling
from fanin.rules import Layer, Parameter

FLOAT32 = np.dtype("float32")
ZEROS, ONES, HE = Constant(0.0), Constant(1.0), Registry.get("he_normal")


def of(name, shape, *types, **facts):
    return Parameter(name, shape, FLOAT32, Layer(types, **facts) if types else None)


def chosen(source, *parameters):
    return [row.scheme for row in Rules.of(source).assign(parameters)]


LAYERS = [
    (of("fc.weight", (4, 8), "Linear", layout="oi*"), HE),
    (of("fc.weight", (1, 8), "MyLinear"), HE),
    (of("fc.kernel", (8, 4), "Dense", layout="io"), HE.replace(layout="io")),
    (of("up.weight", (8, 4, 3), "ConvTranspose1d", layout="io*", transposed=True),
     HE.replace(layout="io*", transposed=True)),
    (of("attn.in_proj_weight", (12, 4), "MultiheadAttention", layout="oi*", fan_in=4, fan_out=4),
     HE.replace(fan_in=4, fan_out=4)),
    (of("experts.down_proj", (2, 4, 8), "Experts", layout="boi"), HE.replace(layout="boi")),
    (of("lstm.weight_ih_l0", (16, 4), "LSTM", layout="oi*", fan_out=4), HE.replace(fan_out=4)),
    (of("lstm.bias_hh_l0_reverse", (16,), "LSTM"), ZEROS),
    (of("fc.bias", (4,), "Linear"), ZEROS),
    (of("attn.in_proj_bias", (12,), "MultiheadAttention"), ZEROS),
    (of("bn.weight", (4,), "BatchNorm2d", "_BatchNorm"), ONES),
    (of("ln.weight", (4, 4), "LayerNorm"), ONES),
    (of("ln.bias", (4, 4), "LayerNorm"), ZEROS),
    (of("bn.gamma", (4,), "BatchNormalization"), ONES),
    (of("bn.beta", (4,), "BatchNormalization"), ZEROS),
    (of("norm.weight", (4,), "GemmaRMSNorm", start=ZEROS), ZEROS),
    (of("act.weight", (1,), "PReLU"), Constant(0.25)),
    (of("tok.weight", (9, 4), "ScaledEmbedding", "Embedding", layout="oi*"), Normal()),
    (of("tok.embeddings", (9, 4), "Embedding", layout="oi"), Registry.get("keras:random_uniform")),
    (of("tok.embedding", (9, 4), "Embed", layout="oi"), VarianceScaling(1.0, "fan_in", "normal", layout="oi")),
    (of("vit.cls_token", (1, 1, 4), "ViT"), Normal(std=0.02)),
    # by names alone
    (of("h.0.fc.weight", (4, 8)), HE),
    (of("h.0.fc.bias", (4,)), ZEROS),
    (of("h.0.ln_1.weight", (4,)), ONES),
    (of("conv.weight", (4, 8, 3, 3)), HE),
    (of("wte.weight", (9, 4)), Normal()),
    (of("bn.running_mean", (4,)), ZEROS),
    (of("bn.running_var", (4,)), ONES),
]


@pytest.mark.parametrize(("parameter", "scheme"), LAYERS)
def test_what_each_layer_gets(parameter, scheme):
    """Weights the word, with their layer's axes; biases zeros; norms, embeddings and others what they start from."""
    assert chosen("he_normal", parameter) == [scheme]
    assert Rules.of("he_normal").assign([parameter]).warnings == ()


@pytest.mark.parametrize("parameter", [
    of("scale.gamma", (4,), "LayerScale"), of("block.layer_scale", (4, 1, 1), "CNBlock"), of("logit_scale", ()),
    of("mixer.dt_bias", (4,), "Mixer"), of("mixer.A_log", (4, 8)), of("attn.bias", (1, 1, 8, 8)),
    Parameter("ids", (4, 4), np.dtype("int64"), Layer(("Mine",))),
])
def test_what_nobody_knows_is_an_error_that_names_the_rule(parameter):
    """A vector of an unknown layer, a mask, indices: the message says how to give it a rule."""
    with pytest.raises(FaninError) as caught:
        chosen("he_normal", parameter)

    assert str(caught.value) == (
        f"'he_normal' alone does not tell what {parameter.name} starts from: give it a rule of its own, "
        f"fanin.Rules.of('he_normal').override({{'{parameter.name}': ...}})")
    assert chosen(Rules.of("he_normal").override({parameter.name: "zeros"}), parameter) == [ZEROS]


LINEAR, CONV = LAYERS[0][0], of("c.weight", (4, 8, 3, 3), "Conv2d", layout="oi*")


@pytest.mark.parametrize(("word", "parameter", "scheme"), [
    ("zeros", LINEAR, ZEROS), ("orthogonal", CONV, Orthogonal()), ("eye", LINEAR, Registry.get("eye")),
    ("dirac", CONV, Registry.get("dirac")), (Sparse(0.5), LINEAR, Sparse(0.5)),
    ({"name": "sparse", "sparsity": 0.5}, LINEAR, Sparse(0.5)), (Sparse(0.5).get_config(), LINEAR, Sparse(0.5)),
    ("torch:kaiming_uniform", LINEAR, Registry.get("torch:kaiming_uniform")), ("He-Normal", LINEAR, HE),
])
def test_words_mean_their_scheme_for_every_weight(word, parameter, scheme):
    """Any preset, profile's name or scheme may be the word, and only weights get it."""
    assert chosen(word, parameter, LAYERS[8][0], LAYERS[10][0]) == [scheme, ZEROS, ONES]


@pytest.mark.parametrize(("word", "parameter", "problem"), [
    ("dirac", LINEAR, "must have a kernel axis for Dirac"), ("eye", CONV, "must have 2 dimensions for Eye"),
    ("delta_orthogonal", LINEAR, "must have a kernel axis"),
])
def test_a_word_that_cannot_draw_a_layer(word, parameter, problem):
    """The message names the parameter, its layer, the scheme, and the way to give that layer another."""
    with pytest.raises(FaninError, match=rf"'{parameter.name}', of a {parameter.layer.types[0]}: .*{problem}.*"
                                         rf"fanin\.Rules\.of\('{word}'\)\.override"):
        chosen(word, parameter)


def test_sparse_needs_its_sparsity():
    """A preset with a parameter that has no default is found out as such."""
    with pytest.raises(FaninError, match="^'sparse' needs a value for `sparsity`"):
        Rules.of("sparse")


def test_the_order_in_which_a_word_is_looked_up(tmp_path, monkeypatch):
    """A built-in set, then a preset, then a file; what ends in .toml or .json is a file, and a path always is."""
    monkeypatch.chdir(tmp_path)
    text = "[[rule]]\nmatch = '*'\ninit = 'eye'\n"
    for name in ("torch", "he_normal", "he_normal.toml", "torch.toml", "mine"):
        (tmp_path / name).write_text(text)

    assert Rules.of("torch") == Rules.read("torch") != Rules([("*", "eye")])
    assert chosen("he_normal", LINEAR) == [HE]
    for file in ("he_normal.toml", "torch.toml", "mine", tmp_path / "he_normal"):
        assert Rules.of(file) == Rules([("*", "eye")])
    with pytest.raises(FaninError, match=r"must be a rule set \(.*\), a recipe \(.*\), a preset, or a file \(got "
                                         r"'he_norml'\): did you mean 'he_normal'"):
        Rules.of("he_norml")


def test_a_mapping_means_what_it_says():
    """{"*": scheme} gives it to all, norms too; a word does not."""
    norm = LAYERS[10][0]

    assert chosen({"*": Normal(std=0.5)}, norm) == [Normal(std=0.5)]
    assert chosen(Normal(std=0.5), norm) == [ONES]


def test_a_word_is_rules_like_others():
    """It goes through its config, and another's rules go before it."""
    word = Rules.of("he_normal")

    assert Rules.from_config(word.get_config()) == word
    assert word.override({"fc.weight": "zeros"}).assign([LINEAR])[0].scheme == ZEROS


def test_weights_are_told_from_vectors_and_indices():
    """`weights` is a condition of any rule."""
    rules = Rules([{"match": "*", "weights": True, "init": "ones"}], strict=False)

    table = rules.assign([LINEAR, LAYERS[8][0], of("block.scale", (4, 1, 1), "CNBlock"), of("m", (4, 4), "Mine")])

    assert [row.scheme for row in table] == [ONES, None, None, ONES]


class Conv2d:
    """A class by its name."""


def test_a_layer_is_named_by_its_class():
    """`layer` takes a class, or several, for their names."""
    for layer in (Conv2d, [Conv2d, int]):
        rules = Rules([{"match": "*", "layer": layer, "init": "zeros"}, ("*", "ones")])
        assert [row.scheme for row in rules.assign([LINEAR, CONV])] == [ONES, ZEROS]
        assert Rules.from_config(rules.get_config()) == rules


def test_a_norm_that_a_scheme_cannot_draw_is_explained():
    """The message says what a norm's weight starts from, and that one word does so."""
    norm = LAYERS[10][0]
    with pytest.raises(FaninError) as caught:
        Rules({"*.bias": "zeros", "*": "he_normal"}).assign([norm])

    assert str(caught.value) == (
        "'bn.weight': a norm's weight starts from ones (got 'he_normal', which can't draw the BatchNorm2d's of shape "
        "(4,)): put the rule 'bn.weight': 'ones' first, or give 'he_normal' alone as `rules`, which does so for all "
        "norms and biases")
