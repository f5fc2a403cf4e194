"""One word on real networks of torch and JAX: weights get it, norms and biases stay what they mean, and it trains."""

import equinox as eqx
import jax
import pytest
import torch
from accelerate import cpu_offload
from accelerate.hooks import remove_hook_from_submodules
from flax import linen, nnx
from torch import nn

import fanin
from fanin import Constant, FaninValueError, Registry
from fanin.torch import init_module

ZEROS, ONES = Constant(0.0), Constant(1.0)


class Net(nn.Module):
    """Every kind of layer that one meets first."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, groups=1)
        self.bn = nn.BatchNorm2d(8)
        self.up = nn.ConvTranspose2d(8, 6, 3, groups=2)
        self.act = nn.PReLU()
        self.embed = nn.Embedding(9, 6, padding_idx=0)
        self.encoder = nn.TransformerEncoderLayer(6, 2, 12)
        self.lstm = nn.LSTM(6, 4, proj_size=3)
        self.gn = nn.GroupNorm(2, 6)
        self.head = nn.Bilinear(6, 6, 2)


def schemes(table):
    return {row.parameter.name: row.scheme for row in table.drawn}


def test_torch():
    """Everything that has two axes but the embedding has the word, with its layer's fans; nothing else is random."""
    net = Net()
    table = init_module(net, "kaiming_normal", seed=7)

    found = schemes(table)
    assert table.warnings == ()
    assert set(found) == {name for name, _ in net.named_parameters()}
    constant = {name: scheme for name, scheme in found.items() if isinstance(scheme, Constant)}
    assert set(found) - set(constant) == {
        "conv.weight", "up.weight", "embed.weight", "encoder.self_attn.in_proj_weight",
        "encoder.self_attn.out_proj.weight", "encoder.linear1.weight", "encoder.linear2.weight", "lstm.weight_ih_l0",
        "lstm.weight_hh_l0", "lstm.weight_hr_l0", "head.weight"}
    assert {name for name, scheme in constant.items() if scheme == ONES} == {
        "bn.weight", "gn.weight", "encoder.norm1.weight", "encoder.norm2.weight"}
    assert constant["act.weight"] == Constant(0.25)
    assert set(constant.values()) == {ZEROS, ONES, Constant(0.25)}
    assert not net.embed.weight[0].any() and net.embed.weight[1:].std().item() == pytest.approx(1, abs=0.35)
    assert found["up.weight"].replace(layout="oi*", groups=1, transposed=False) == Registry.get("kaiming_normal")


@pytest.mark.parametrize(("word", "layer", "problem"), [
    ("dirac", "Linear", "must have a kernel axis"), ("eye", "Conv2d", "must have 2 dimensions for Eye")])
def test_a_word_that_a_layer_cannot_have(word, layer, problem):
    """The error names the parameter, its layer and the scheme, and nothing is written."""
    net = nn.Sequential(nn.Linear(4, 4), nn.Conv2d(3, 4, 3))
    before = [parameter.clone() for parameter in net.parameters()]

    with pytest.raises(FaninValueError, match=rf"of a {layer}: .*{problem}.*Rules\.of\('{word}'\)"):
        init_module(net, word, seed=0)

    assert all(map(torch.equal, before, net.parameters()))


def test_flax_and_equinox():
    """nnx and equinox modules, and linen's variables by their names alone."""
    key, x = jax.random.key(0), jax.numpy.ones((2, 8))

    class Linen(linen.Module):
        @linen.compact
        def __call__(self, x):
            return linen.Dense(4)(linen.LayerNorm()(x)) + linen.Embed(5, 4)(jax.numpy.zeros(2, int))

    models = {
        "nnx": nnx.List([nnx.Linear(8, 4, rngs=nnx.Rngs(0)), nnx.BatchNorm(4, rngs=nnx.Rngs(0)),
                         nnx.Embed(5, 4, rngs=nnx.Rngs(0))]),
        "linen": Linen().init(key, x),
        "equinox": [eqx.nn.Linear(8, 4, key=key), eqx.nn.LayerNorm(4), eqx.nn.Embedding(5, 4, key=key)],
    }
    for kind, model in models.items():
        table = fanin.jax.init_model(model, "he_normal", seed=7).table
        by_shape = {row.parameter.shape: row.scheme for row in table.drawn if len(row.parameter.shape) > 1}
        vectors = [row.scheme for row in table.drawn if len(row.parameter.shape) == 1]
        weight = by_shape[(4, 8) if kind == "equinox" else (8, 4)]
        assert weight.replace(layout="oi*") == Registry.get("he_normal"), kind
        assert by_shape[5, 4].describe((5, 4)).std == pytest.approx(0.5 if kind != "equinox" else 1.0), kind
        assert sorted(each.value for each in vectors) == [0.0, 0.0, 1.0], kind
        assert table.warnings == (), kind


def test_an_offloaded_module_is_refused():
    """accelerate runs copies of what it keeps elsewhere: a draw into what is registered would do nothing."""
    net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    cpu_offload(net, execution_device="cpu")

    with pytest.raises(FaninValueError, match=r"accelerate offloads those of 0, 1\): initialize it before"):
        init_module(net, "he_normal", seed=0, device="cpu")

    remove_hook_from_submodules(net)
    expected = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    for each in (net, expected):
        init_module(each, "he_normal", seed=0)
    assert all(map(torch.equal, net.parameters(), expected.parameters()))
