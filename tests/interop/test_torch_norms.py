"""What a norm's parameters start from, told by what the layer does with them and not by its name."""

import pytest
import torch
from torch import nn
from transformers.models.cohere.modeling_cohere import CohereLayerNorm
from transformers.models.gemma3.modeling_gemma3 import Gemma3RMSNorm
from transformers.models.gemma3n.modeling_gemma3n import Gemma3nRMSNorm
from transformers.models.llama.modeling_llama import LlamaRMSNorm
from transformers.models.mamba2.modeling_mamba2 import MambaRMSNormGated
from transformers.models.moonshine_streaming.modeling_moonshine_streaming import MoonshineStreamingLayerNorm
from transformers.models.nemotron.modeling_nemotron import NemotronLayerNorm1P
from transformers.models.qwen3_next.modeling_qwen3_next import Qwen3NextRMSNorm, Qwen3NextRMSNormGated

from fanin.torch import init_module, parameters


class Centred(nn.Module):
    """A norm that a user wrote, with everything that its kinds differ in."""

    def __init__(self, size, offset, axis=-1):
        super().__init__()
        self.norm_weight, self.shift = nn.Parameter(torch.rand(size)), nn.Parameter(torch.rand(size))
        self.register_buffer("calls", torch.zeros(()))
        self.offset, self.axis = offset, axis

    def forward(self, x):
        self.calls += 1
        x = x * (x * x).mean(self.axis, keepdim=True).rsqrt()
        return (x.movedim(self.axis, -1) * (self.norm_weight + self.offset) + self.shift).movedim(-1, self.axis)


class CentredNorm(Centred):
    pass


def starts(module):
    return {each.name: each.layer.start and each.layer.start.value for each in parameters(module)}


@pytest.mark.parametrize(("make", "weight"), [
    (lambda: LlamaRMSNorm(16), 1.0), (lambda: Gemma3nRMSNorm(16), 1.0), (lambda: Gemma3RMSNorm(16), 0.0),
    (lambda: Qwen3NextRMSNorm(16), 0.0), (lambda: Qwen3NextRMSNormGated(16), 1.0),
    (lambda: MambaRMSNormGated(16, 8), 1.0), (lambda: NemotronLayerNorm1P(16), 0.0),
    (lambda: CohereLayerNorm((4, 16)), 1.0), (lambda: nn.LayerNorm((2, 3)), 1.0),
    (lambda: nn.RMSNorm(16), 1.0), (lambda: nn.GroupNorm(4, 16), 1.0), (lambda: nn.BatchNorm2d(16), 1.0),
    (lambda: nn.SyncBatchNorm(16), 1.0), (lambda: nn.InstanceNorm1d(16, affine=True), 1.0),
])
@pytest.mark.parametrize("device", ["cpu", "meta"])
def test_a_norms_start(make, weight, device):
    """The weight starts at what leaves the normalized values as they are, 0 where it is applied as 1 + weight."""
    with torch.device(device):
        module = make()

    found = starts(module)

    assert found.pop("weight") == weight
    assert set(found.values()) <= {0.0}


@pytest.mark.parametrize("unit_offset", [True, False])
@pytest.mark.parametrize("rules", ["transformer", "torch", "he_normal"])
def test_a_norm_around_a_norm(unit_offset, rules):
    """Moonshine's norm has a LayerNorm without weights inside, and may count from zero."""
    layer = MoonshineStreamingLayerNorm(16, unit_offset=unit_offset)
    init_module(layer, rules, seed=0)
    assert layer.gamma.tolist() == [1.0 - unit_offset] * 16


class NormAndActivation(nn.BatchNorm2d):
    """As timm has them: what comes out is not what was normalized."""

    def __init__(self, size, activation):
        super().__init__(size)
        self.activation = activation

    def forward(self, x):
        return self.activation(super().forward(x))


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.SiLU(), nn.Hardswish(), nn.Sigmoid(), nn.Tanh()])
def test_a_norm_with_an_activation(activation):
    """What follows the norm changes nothing of what its parameters mean."""
    found = starts(NormAndActivation(8, activation))
    assert found == {"weight": 1.0, "bias": 0.0}


class HeadNorm(nn.Module):
    """A norm of each head's channels, with a norm without weights inside."""

    def __init__(self, offset, *shape):
        super().__init__()
        self.inner, self.offset = nn.LayerNorm(shape[-1], elementwise_affine=False), offset
        self.scale, self.shift = nn.Parameter(torch.rand(shape)), nn.Parameter(torch.rand(shape))

    def forward(self, x):
        return self.inner(x) * (self.scale + self.offset) + self.shift


class NormLinear(nn.Module):
    """A Linear after a norm: what its weight does looks like a norm's where it is square, but it mixes channels."""

    def __init__(self, *shape):
        super().__init__()
        self.weight = nn.Parameter(torch.rand(shape))

    def forward(self, x):
        return nn.functional.layer_norm(x, x.shape[-1:]) @ self.weight


@pytest.mark.parametrize("shape", [(8,), (4, 8), (2, 4, 8)])
@pytest.mark.parametrize("offset", [0.0, 1.0])
def test_a_norm_of_heads(shape, offset):
    """A weight with several axes is a norm's where it acts on each element by itself, weightless parts or not."""
    assert starts(HeadNorm(offset, *shape)) == {"scale": 1.0 - offset, "shift": 0.0}


def test_a_matrix_is_no_norm():
    assert starts(NormLinear(8, 8)) == {"weight": None}


def test_a_part_with_a_hook_is_not_called():
    """A layer's part runs as it does in the model, hooks included: so it is not run at all."""
    layer, ran = HeadNorm(1.0, 8), []
    layer.inner.register_forward_hook(lambda *_: ran.append(1))
    assert starts(layer) == {"scale": None, "shift": None}
    assert not ran


@pytest.mark.parametrize("rules", ["transformer", "torch"])
def test_sets_give_the_start(rules):
    """A model of layers that mean different things by their weights: each is the identity on normalized values."""
    model = nn.Sequential(CentredNorm(8, 1.0), CentredNorm(8, 0.0), CentredNorm(8, 1.0, axis=1), nn.BatchNorm1d(8))

    init_module(model, rules, seed=0)

    assert [layer.norm_weight.tolist() for layer in model[:3]] == [[0.0] * 8, [1.0] * 8, [0.0] * 8]
    assert not any(layer.shift.any() for layer in model[:3])
    assert model[3].weight.tolist() == [1.0] * 8


def test_trying_a_norm_changes_nothing():
    """No hook runs, no buffer and no generator moves, and another layer's code is not called at all."""
    model = nn.ModuleList([CentredNorm(8, 1.0), Centred(8, 1.0)])
    ran = []
    for layer in model:
        layer.register_forward_hook(lambda *_: ran.append(1))
    before, state = {key: value.clone() for key, value in model.state_dict().items()}, torch.get_rng_state()

    found = starts(model)

    assert found == {"0.norm_weight": 0.0, "0.shift": 0.0, "1.norm_weight": None, "1.shift": None}
    assert not ran
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_a_norm_that_cannot_be_tried_tells_nothing():
    """A layer whose code fails, gives no tensor, or does nothing with a parameter has no start."""

    class OddNorm(nn.Module):
        def __init__(self, made):
            super().__init__()
            self.weight, self.made = nn.Parameter(torch.rand(8)), made

        def forward(self, x):
            return self.made(x)

    for made in (lambda x: x, lambda x: None, lambda x: x / 0, lambda x: x @ x, lambda x: x.sum()):
        assert starts(OddNorm(made)) == {"weight": None}
