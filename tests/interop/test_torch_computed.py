"""Weights that are normalized or pruned, by parametrizations and by hooks: as if they had been initialized before."""

import copy
import warnings

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

from fanin import FaninError, FaninTypeError, FaninValueError
from fanin.torch import init_module, parameters

# These rules serve many models; what fanin says about that is tested in tests/rules/test_warnings.py.
pytestmark = pytest.mark.filterwarnings("ignore::fanin.FaninWarning")

RULES = {"*bias*": "zeros", "*": {"name": "normal", "std": 0.5}}


def hooked(add, *arguments, **options):
    """A hook's function without torch's word that parametrizations have come instead."""
    def apply(layer):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            return add(layer, *arguments, **options)
    return apply


NORMS = {
    "parametrization": parametrizations.weight_norm,
    "hook": hooked(nn.utils.weight_norm),
    "hook, whole": hooked(nn.utils.weight_norm, dim=None),
    "hook, dim 1": hooked(nn.utils.weight_norm, dim=1),
}
SPECTRAL = {"parametrization": parametrizations.spectral_norm, "hook": hooked(nn.utils.spectral_norm)}
LAYERS = {
    "linear": lambda: nn.Linear(6, 8),
    "transposed": lambda: nn.ConvTranspose1d(6, 8, 3, groups=2),
    "embedding": lambda: nn.Embedding(9, 6, padding_idx=2),
}


def initialized(make, rules=RULES):
    layer = make()
    init_module(layer, rules, seed=3)
    return layer


def weight_of(layer):
    """The weight that the layer runs with."""
    for hook in layer._forward_pre_hooks.values():
        hook(layer, None)
    return layer.weight.detach()


@pytest.mark.parametrize("kind", LAYERS)
@pytest.mark.parametrize("norm", NORMS)
def test_weight_norm(norm, kind):
    """Gains are the norms of the drawn weight, which the layer runs with: fans, padding row and all."""
    expected = initialized(LAYERS[kind], {"*bias": "zeros", "*": "lecun_normal"})
    layer = NORMS[norm](LAYERS[kind]())
    table = init_module(layer, {"*bias": "zeros", "*": "lecun_normal"}, seed=3)
    assert parameters(layer) == [row.parameter for row in table]
    assert sorted(row.parameter.name for row in table) == sorted(name for name, _ in expected.named_parameters())
    torch.testing.assert_close(layer.weight.detach(), expected.weight.detach(), rtol=1e-6, atol=1e-8)
    torch.testing.assert_close(weight_of(layer), expected.weight.detach(), rtol=1e-6, atol=1e-8)
    (gains,) = [parameter for name, parameter in layer.named_parameters() if name.endswith(("weight_g", "original0"))]
    assert (gains >= 0).all()


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("scheme", ["zeros", {"name": "sparse", "sparsity": 0.95, "axis": 1}])
def test_a_zero_row_of_weight_norm(norm, scheme):
    """Zero times a direction: no NaN, and the gains can be trained."""
    expected = initialized(lambda: nn.Linear(6, 8), {"bias": "zeros", "*": scheme})
    layer = NORMS[norm](nn.Linear(6, 8))
    init_module(layer, {"bias": "zeros", "*": scheme}, seed=3)
    torch.testing.assert_close(weight_of(layer), expected.weight.detach(), rtol=1e-6, atol=0)
    layer(torch.ones(2, 6)).square().sum().backward()
    layer(torch.ones(2, 6)).sum().backward()
    assert all(torch.isfinite(parameter.grad).all() for parameter in layer.parameters())
    assert any(parameter.grad.any() for name, parameter in layer.named_parameters() if "bias" not in name)


@pytest.mark.parametrize("add", SPECTRAL)
@pytest.mark.parametrize("make", [lambda: nn.Linear(40, 60), lambda: nn.ConvTranspose2d(8, 12, 4)])
def test_spectral_norm(add, make):
    """The largest singular value is 1, as after torch's own 15 iterations, and the same on each run."""
    layer, again = SPECTRAL[add](make()), SPECTRAL[add](make())
    table = init_module(layer, RULES, seed=3)
    init_module(again, RULES, seed=3)
    assert all(map(torch.equal, layer.state_dict().values(), again.state_dict().values()))
    original = dict(layer.named_parameters()).get("weight_orig")
    if original is None:
        original = layer.parametrizations.weight.original
    assert torch.equal(original, initialized(make).weight)
    matrix = layer.eval().weight.detach()
    if isinstance(layer, nn.ConvTranspose2d):
        matrix = matrix.transpose(0, 1)
    assert torch.linalg.matrix_norm(matrix.flatten(1), 2).item() == pytest.approx(1, abs=0.05)
    notes = {row.parameter.name: row.note for row in table}
    assert "through SpectralNorm, whose values differ" in notes.pop("weight")
    assert [note for note in notes.values() if note] == ["buffer, computed from weight"] * 2


@pytest.mark.parametrize("add", SPECTRAL)
def test_the_vectors_are_no_buffers_to_be_drawn(add):
    """Rules are not asked about what follows from the weight, whichever buffers they are asked about."""
    layer, expected = SPECTRAL[add](nn.Linear(6, 8)), SPECTRAL[add](nn.Linear(6, 8))
    assert [each.name for each in parameters(layer, buffers="*")] == ["bias", "weight"]
    init_module(layer, {"bias": "zeros", "weight": "normal"}, seed=3, buffers="*")
    init_module(expected, {"bias": "zeros", "weight": "normal"}, seed=3)
    assert all(map(torch.equal, layer.state_dict().values(), expected.state_dict().values()))


@pytest.mark.parametrize("add", SPECTRAL)
def test_spectral_norm_of_zeros(add):
    """Nothing divided by its norm is NaN: refused by name, and nothing is written."""
    net = nn.Sequential(nn.Linear(6, 6), SPECTRAL[add](nn.Linear(6, 6)))
    before = copy.deepcopy(net.state_dict())
    with pytest.raises(FaninValueError, match=r"'1\.weight': SpectralNorm must make finite weights"):
        init_module(net, {"*": "zeros"}, seed=0)
    assert all(map(torch.equal, before.values(), net.state_dict().values()))


@pytest.mark.parametrize("make", [
    lambda layer: prune.l1_unstructured(layer, "weight", amount=0.3),
    lambda layer: prune.random_unstructured(prune.ln_structured(layer, "weight", 0.5, n=2, dim=0), "weight", amount=2),
])
def test_pruned(make):
    """The draw is that of the plain layer, and the mask stays where it was."""
    layer = make(nn.Linear(6, 8))
    mask = layer.weight_mask.clone()
    table = init_module(layer, RULES, seed=3)
    plain = initialized(lambda: nn.Linear(6, 8))
    assert torch.equal(layer.weight_orig, plain.weight)
    assert torch.equal(layer.weight_mask, mask)
    assert torch.equal(layer.weight, plain.weight * mask)
    assert "differ from the draw" in {row.parameter.name: row.note for row in table}["weight"]
    prune.remove(layer, "weight")
    assert torch.equal(layer.weight, plain.weight * mask)


def test_hooks_upon_hooks():
    """A weight computed from computed ones is refused by name."""
    layer = prune.l1_unstructured(hooked(nn.utils.weight_norm)(nn.Linear(6, 8)), "weight_v", amount=0.3)
    with pytest.raises(FaninTypeError, match=r"WeightNorm computes 'weight' from 'weight_v', which is computed itself"):
        init_module(layer, RULES, seed=3)


@pytest.mark.parametrize("add", [*NORMS.values(), *SPECTRAL.values()])
def test_on_meta(add):
    """From the meta device all of it gets memory and the values that it gets on the CPU."""
    with torch.device("meta"):
        layer = add(nn.Conv1d(6, 8, 3))
    expected = add(nn.Conv1d(6, 8, 3))
    init_module(layer, RULES, seed=3, device="cpu")
    init_module(expected, RULES, seed=3)
    assert list(layer.state_dict()) == list(expected.state_dict())
    assert all(map(torch.equal, layer.state_dict().values(), expected.state_dict().values()))
    batch = torch.ones(1, 6, 5)
    assert torch.equal(layer(batch), expected(batch))


def test_a_hook_on_a_recurrent_layer():
    """The fans are the gates', and the layer runs with the new weight."""
    lstm, plain = hooked(nn.utils.weight_norm, name="weight_hh_l0")(nn.LSTM(4, 8)), nn.LSTM(4, 8)
    for each in (lstm, plain):
        init_module(each, {"*bias*": "zeros", "*": "xavier_uniform"}, seed=1)
    batch = torch.ones(3, 1, 4)
    torch.testing.assert_close(lstm(batch)[0], plain(batch)[0])


def test_infinite_weights_are_not_written():
    """A user's parametrization that makes infinity of a draw is refused before anything is written."""
    class Reciprocal(nn.Module):
        def forward(self, value):
            return 1 / value

        def right_inverse(self, value):
            return value

    layer = nn.utils.parametrize.register_parametrization(nn.Linear(3, 3), "weight", Reciprocal())
    before = copy.deepcopy(layer.state_dict())
    with pytest.raises(FaninError, match="'weight': Reciprocal must make finite weights"):
        init_module(layer, {"*": "zeros"}, seed=0)
    assert all(map(torch.equal, before.values(), layer.state_dict().values()))
