"""`verify_module`, `verify_model`: a model in memory against what its rules and seed draw; and tables' fingerprints."""

import jax
import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

import fanin.jax
from fanin import FaninError
from fanin.checkpoint import init, read_spec
from fanin.rules import _comparison
from fanin.torch import init_module, verify_module

RULES = {"*bias": "uniform", "*.orthogonal.weight": "orthogonal", "*": "he_normal"}


def model():
    """Layers whose tensors lie in memory in every way, tied, computed, orthogonal, of other dtypes, without axes."""
    net = nn.Sequential()
    net.linear = nn.Linear(30, 20)
    net.tied = nn.Linear(30, 20)
    net.tied.weight = net.linear.weight
    net.turned = nn.Linear(8, 5)
    net.turned.weight = nn.Parameter(torch.empty(8, 5).t())
    net.narrow = nn.Linear(7, 3, dtype=torch.bfloat16)
    net.wide = nn.Linear(7, 3, dtype=torch.float64)
    net.complex = nn.Linear(7, 3, dtype=torch.complex128)
    net.inner = nn.ModuleDict({"orthogonal": nn.Linear(9, 9)})
    net.normed = parametrizations.weight_norm(nn.Linear(6, 4))
    net.spectral = parametrizations.spectral_norm(nn.Linear(6, 4))
    net.scalar_bias = nn.Parameter(torch.empty(()))
    return net


@pytest.fixture(params=[8 * 2**20, 64])
def piece(request, monkeypatch):
    monkeypatch.setattr(_comparison, "PIECE", request.param)


def test_what_was_drawn_is_found_again(piece):
    """Every tensor equals its draw, however small the pieces; another seed differs in each."""
    net = model()
    init_module(net, RULES, seed=7)

    comparison = verify_module(net, RULES, seed=7)

    assert comparison.ok and comparison.differences == () and comparison.bounded == 1
    assert str(comparison).startswith(f"OK, {len(comparison.table.drawn)} tensors, ")
    names = {each.name.split(" ")[0] for each in verify_module(net, RULES, seed=8).differences}
    assert names == {row.parameter.name for row in comparison.table.drawn}


def test_one_bit_is_found(piece):
    """In the last element of a tensor of several pieces and in a transposed one, by its index in the tensor."""
    net = model()
    init_module(net, RULES, seed=7)
    with torch.no_grad():
        net.linear.weight.view(torch.int32)[19, 29] ^= 1
        net.turned.weight[3, 2] = 9.0
        net.narrow.bias[1] = float("nan")

    linear, turned, narrow = verify_module(net, RULES, seed=7).differences

    assert (linear.name, linear.first, linear.differing, linear.size) == ("linear.weight", (19, 29), 1, 600)
    assert (turned.first, turned.found) == ((3, 2), 9.0)
    assert str(narrow).startswith("narrow.bias: 1 of 3 elements differs, the first at [1]: found nan")


def test_nothing_is_written():
    """Versions of tensors, gradients and the state of torch's generator stay."""
    net = model()
    init_module(net, RULES, seed=7)
    before = [tensor._version for tensor in net.parameters()], torch.get_rng_state()

    assert not verify_module(net, RULES, seed=8).ok

    assert [tensor._version for tensor in net.parameters()] == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])


@pytest.mark.parametrize("fault", [lambda net: net.scalar_bias.fill_(3.0),
                                   lambda net: net.normed.parametrizations.weight.original1[0, 0].fill_(3.0),
                                   lambda net: net.inner.orthogonal.weight[0, 0].add_(1e-3)])
def test_each_kind_of_tensor_is_compared(fault):
    """A scalar, what a weight is computed from, an orthogonal matrix beyond its bound."""
    net = model()
    init_module(net, RULES, seed=7)
    with torch.no_grad():
        fault(net)

    assert len(verify_module(net, RULES, seed=7).differences) == 1


def test_a_module_on_meta_has_no_values():
    """It is refused by name."""
    with pytest.raises(FaninError, match="must have values to compare .*weight.* on the meta device"):
        verify_module(nn.Linear(2, 3, device="meta"), "he_normal", seed=7)


def test_prefixes_and_buffers_are_those_of_the_draw():
    """A part of a model, with the name that it has there; buffers where they were asked for."""
    part, rules = nn.BatchNorm1d(4), {"*.weight": "ones", "*": "normal"}
    init_module(part, rules, seed=7, prefix="a.b", buffers="*mean")

    assert verify_module(part, rules, seed=7, prefix="a.b", buffers="*mean").elements == 12
    assert verify_module(part, rules, seed=7, prefix="a.b", buffers="*mean").ok
    assert {each.name for each in verify_module(part, rules, seed=7, prefix="a", buffers="*mean").differences} == {
        "a.bias", "a.running_mean"}


def test_jax_models():
    """The same for arrays; a model of shapes has none."""
    rules = {"*.bias": "uniform", "*": "he_normal"}
    shapes = {"dense": {"kernel": jax.ShapeDtypeStruct((6, 4), "float32"),
                        "bias": jax.ShapeDtypeStruct((4,), "bfloat16")}}
    arrays, table = fanin.jax.init_model(shapes, rules, seed=7)

    comparison = fanin.jax.verify_model(arrays, rules, seed=7)

    assert comparison.ok and comparison.elements == 28 and comparison.table.fingerprint() == table.fingerprint()
    arrays["dense"]["bias"] = arrays["dense"]["bias"].at[2].set(5)
    (difference,) = fanin.jax.verify_model(arrays, rules, seed=7).differences
    assert (difference.name, difference.first, difference.found) == ("dense.bias", (2,), 5)
    with pytest.raises(FaninError, match="must hold arrays to compare"):
        fanin.jax.verify_model(shapes, rules, seed=7)


def test_a_fingerprint_is_that_of_the_draws(tmp_path):
    """Equal for the module, its checkpoint and other rules of the same effect; another seed or std changes it."""
    net = nn.Sequential(nn.Linear(4, 3), nn.Linear(3, 2))
    rules = {"*.bias": "zeros", "*": {"name": "normal", "std": 0.5}}
    table = init_module(net, rules, seed=7)
    init(net, tmp_path / "net.safetensors", rules, seed=7)
    written = fanin.Rules.of(rules).assign(read_spec(tmp_path / "net.safetensors").tensors)

    mark = table.fingerprint()

    assert len(mark) == 16 and int(mark, 16) >= 0
    assert mark == init_module(net, rules, seed=fanin.Stream(7, 3)).fingerprint() == written.fingerprint(seed=7)
    assert mark == init_module(net, {"*.weight": {"name": "normal", "std": 0.5}, "*": "zeros"}, seed=7).fingerprint()
    others = [init_module(net, rules, seed=8), init_module(net, {"*": {"name": "normal", "std": 0.5}}, seed=7),
              init_module(net.double(), rules, seed=7), init_module(net[0].float(), rules, seed=7, partial=True)]
    assert len({mark, *(other.fingerprint() for other in others)}) == 5
    with pytest.raises(FaninError, match="`seed` must be given"):
        written.fingerprint()
