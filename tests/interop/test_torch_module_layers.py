"""What torch's layers say of their parameters: roles of axes, groups, fans, padding rows and type names."""

import numpy as np
import pytest
import torch
from torch import nn

import fanin
from fanin.torch import init_module, parameters

# The module, the parameter, and (fan_in, fan_out): how many numbers are summed into one output, how many outputs one
# number reaches.
FANS = {
    "linear": (lambda: nn.Linear(6, 8), "weight", (6, 8)),
    "bilinear": (lambda: nn.Bilinear(3, 4, 5), "weight", (12, 5)),
    "conv1d": (lambda: nn.Conv1d(6, 8, 3), "weight", (18, 24)),
    "conv2d": (lambda: nn.Conv2d(6, 8, (3, 5)), "weight", (90, 120)),
    "conv3d": (lambda: nn.Conv3d(2, 4, 3), "weight", (54, 108)),
    "grouped": (lambda: nn.Conv2d(6, 8, 3, groups=2), "weight", (27, 36)),
    "depthwise": (lambda: nn.Conv2d(6, 6, 3, groups=6), "weight", (9, 9)),
    "transposed": (lambda: nn.ConvTranspose2d(6, 8, 4), "weight", (96, 128)),
    "transposed, grouped": (lambda: nn.ConvTranspose1d(6, 8, 4, groups=2), "weight", (12, 16)),
    "embedding": (lambda: nn.Embedding(100, 16), "weight", (16, 100)),
    "bag": (lambda: nn.EmbeddingBag(100, 16), "weight", (16, 100)),
    "attention, in": (lambda: nn.MultiheadAttention(16, 2), "in_proj_weight", (16, 16)),
    "attention, key": (lambda: nn.MultiheadAttention(16, 2, kdim=5, vdim=7), "k_proj_weight", (5, 16)),
    "attention, out": (lambda: nn.MultiheadAttention(16, 2), "out_proj.weight", (16, 16)),
    "rnn": (lambda: nn.RNN(6, 8), "weight_ih_l0", (6, 8)),
    "lstm, in": (lambda: nn.LSTM(6, 8, num_layers=2), "weight_ih_l1", (8, 8)),
    "lstm, hidden": (lambda: nn.LSTM(6, 8, bidirectional=True), "weight_hh_l0_reverse", (8, 8)),
    "lstm, projected": (lambda: nn.LSTM(6, 8, proj_size=3), "weight_hh_l0", (3, 8)),
    "lstm, projection": (lambda: nn.LSTM(6, 8, proj_size=3), "weight_hr_l0", (8, 3)),
    "gru cell": (lambda: nn.GRUCell(6, 8), "weight_ih", (6, 8)),
}


@pytest.mark.parametrize("case", FANS)
def test_fans_come_from_the_layer(case):
    """The fans that the layer's arithmetic has, in `parameters` and in the scheme that draws."""
    make, name, expected = FANS[case]
    found = {each.name: each for each in parameters(make())}[name]
    assert found.fans() == expected

    table = init_module(make(), fanin.Rules({f"re:.*{name}": "lecun_normal"}, strict=False))
    row = {row.parameter.name: row for row in table}[name]
    assert (row.plan.fan_in, row.plan.fan_out) == expected


@pytest.mark.parametrize(("make", "batch"), [
    (lambda: nn.Conv2d(32, 64, 3, groups=4, bias=False), (64, 32, 12, 12)),
    (lambda: nn.ConvTranspose2d(64, 256, 4, bias=False), (16, 64, 16, 16)),
    (lambda: nn.Linear(256, 128, bias=False), (2048, 256)),
])
def test_lecun_keeps_the_variance(make, batch):
    """With variance 1/fan_in outputs have the variance of the inputs (1 within 5 %; by torch's own fans 0.25 to 4)."""
    layer = make()
    init_module(layer, {"*": "lecun_normal"}, seed=0)
    with torch.no_grad():
        out = layer(torch.randn(batch, generator=torch.Generator().manual_seed(0)))
    if out.ndim == 4:
        out = out[:, :, 4:-4, 4:-4]  # where no input of an output lies outside
    assert out.var().item() == pytest.approx(1, rel=0.05)


def test_every_recurrent_and_attention_parameter_has_fans():
    """No matrix of these layers falls back to its shape."""
    for module in (nn.LSTM(6, 8, 2, bidirectional=True, proj_size=3), nn.GRU(6, 8), nn.RNNCell(6, 8),
                   nn.MultiheadAttention(16, 2, kdim=5, vdim=7, add_bias_kv=True),
                   nn.Transformer(16, 2, 1, 1, 32, batch_first=True)):
        matrices = [each for each in parameters(module) if len(each.shape) == 2]
        assert matrices
        assert all(each.layer.layout == "oi*" for each in matrices)


def test_type_names():
    """The most derived type first, up to nn.Module, and a subclass is what it derives from."""

    class Mine(nn.Conv2d):
        pass

    first = parameters(Mine(2, 4, 3))[0].layer
    assert first == parameters(nn.Conv2d(2, 4, 3))[0].layer._replace(types=("Mine", "Conv2d", "_ConvNd"))
    assert parameters(nn.LayerNorm(4))[0].layer == fanin.rules.Layer(("LayerNorm",), start=fanin.Constant(1.0))
    table = init_module(nn.Sequential(Mine(2, 4, 3), nn.Linear(3, 4)), [
        {"match": "*.weight", "layer": "Conv2d", "init": "ones"}, {"match": "*", "init": "zeros"}], dry_run=True)
    assert [row.label for row in table][::2] == ["Constant(value=1.0)", "Constant(value=0.0)"]


@pytest.mark.parametrize("kind", [nn.Embedding, nn.EmbeddingBag])
def test_the_padding_row_is_zero(kind):
    """An embedding's padding row is zero, and the other rows are what they are without one."""
    layer, plain = kind(20, 6, padding_idx=3), nn.Embedding(20, 6)
    init_module(layer, {"*": "he_normal"}, seed=4)
    init_module(plain, {"*": "he_normal"}, seed=4)
    with torch.no_grad():
        plain.weight[3] = 0
    assert torch.equal(layer.weight, plain.weight)


def test_fans_by_shape_are_torchs():
    """`fans = "shape"` counts as torch.nn.init does."""
    layer = nn.ConvTranspose2d(6, 8, 4)
    table = init_module(layer, [{"match": "*", "rank": 4, "fans": "shape", "init": "lecun_normal"},
                                {"match": "*", "init": "zeros"}])
    plan = table[0].plan
    assert (plan.fan_in, plan.fan_out) == nn.init._calculate_fan_in_and_fan_out(layer.weight)


def test_orthogonal_blocks_of_in_proj():
    """Blocks along the stacked projections take their own shape's fans: each is an orthogonal matrix."""
    layer = nn.MultiheadAttention(16, 2, bias=False)
    init_module(layer, [{"match": "in_proj_weight", "init": {"name": "blocks", "inits": ["orthogonal"] * 3}},
                        {"match": "*", "init": "zeros"}], seed=0)
    for block in layer.in_proj_weight.detach().chunk(3):
        np.testing.assert_allclose(block @ block.T, np.eye(16), atol=1e-5)


class HeadFirst(nn.Module):
    """The head is registered before the embedding that it is tied to."""

    def __init__(self, tied=True):
        super().__init__()
        self.head = nn.Linear(6, 20, bias=False)
        self.embedding = nn.Embedding(20, 6, padding_idx=3)
        if tied:
            self.head.weight = self.embedding.weight


class Aliased(nn.Module):
    """Holds the weight of a transposed convolution, too."""

    def __init__(self):
        super().__init__()
        up = nn.ConvTranspose2d(6, 8, 4, groups=2, bias=False)
        self.weight = up.weight
        self.up = up


def test_what_any_place_of_a_tie_knows_counts():
    """A tied embedding keeps its padding row, and an aliased convolution its fans, whichever place comes first."""
    net = HeadFirst()
    table = init_module(net, {"*": "he_normal"}, seed=4)
    expected = fanin.Registry.get("he_normal")((20, 6), seed=4, name="head.weight")
    expected[3] = 0
    assert np.array_equal(net.head.weight.detach().numpy(), expected)
    assert table[0].parameter.layer.types == ("Linear", "Embedding")
    assert table[1].note == "tied to head.weight"

    (held,) = parameters(Aliased())
    assert held.name == "weight"
    assert held.fans() == parameters(nn.ConvTranspose2d(6, 8, 4, groups=2, bias=False))[0].fans()
    assert held.layer.types[0] == "Aliased"
    assert "ConvTranspose2d" in held.layer.types


def test_a_layers_rule_finds_a_tie_at_any_place():
    """A rule for embeddings draws a tied one, registered under the head's name or not."""
    rules = [{"match": "*", "layer": "Embedding", "init": "ones"}, {"match": "*", "init": "zeros"}]
    net = HeadFirst()
    init_module(net, rules, partial=True)
    assert net.head.weight.sum() == 19 * 6
    net = HeadFirst(tied=False)
    init_module(net, rules)
    assert not net.head.weight.any()


class Experts(nn.Module):
    """Batches of matrices, one for each expert, as somebody's mixture of experts holds them."""

    def __init__(self, shapes, **sizes):
        super().__init__()
        vars(self).update(sizes)
        for name, shape in shapes.items():
            self.register_parameter(name, nn.Parameter(torch.empty(shape, device="meta")))


@pytest.mark.parametrize(("module", "layouts"), [
    (Experts({"gate_up_proj": (4, 16, 24), "down_proj": (4, 12, 16)}), ["bio", "bio"]),
    (Experts({"gate_up_proj": (4, 24, 16), "down_proj": (4, 16, 12)}), ["boi", "boi"]),
    (Experts({"gate_up_proj": (9, 24, 16), "down_proj": (4, 16, 12)}), ["boi", "boi"]),
    (Experts({"a": (4, 16, 16), "b": (4, 8, 16)}), ["bio", "bio"]),
    (Experts({"weight": (4, 24, 16)}, input_size=16, output_size=24), ["boi"]),
    (Experts({"weight": (4, 16, 24)}, in_features=16, out_features=24), ["bio"]),
    (Experts({"w1": (4, 24, 16), "w2": (4, 16, 24), "w3": (4, 24, 16)}, hidden_size=16), ["boi"] * 3),
    (Experts({"w1": (4, 16, 24), "w2": (4, 24, 16), "w3": (4, 16, 24)}, hidden_size=16), ["bio"] * 3),
    (Experts({"gate_up_proj": (4, 16, 24)}, is_transposed=True), ["bio"]),
    (Experts({"w1": (4, 24, 16), "w2": (4, 16, 24)}), [None, None]),
    (Experts({"group_token": (1, 64, 16)}, hidden_size=16), [None]),
    (Experts({"cls_token": (1, 1, 16)}, embed_dim=[16, 32], hidden_size=torch.ones(3)), [None]),
])
def test_orientation_of_experts(module, layouts):
    """A batch of matrices is never (out, in, kernel): sizes tell its axes, and where they can't, nobody guesses."""
    assert [each.layer.layout for each in parameters(module)] == layouts


class Transformer(nn.Module):
    """A user's class that happens to have the name of torch's."""

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(32, 64, bias=False))


def test_a_transformer_redraws_its_matrices():
    """Under the set `torch` matrices inside nn.Transformer are xavier_uniform, counted by shape, as torch's own: the
    same bound for each. A class of the same name is another one."""
    whole = nn.Transformer(32, 2, 1, 1, 64, batch_first=True)
    theirs = {name: value.abs().max().item() for name, value in whole.named_parameters() if value.ndim > 1}

    table = init_module(nn.ModuleDict({"whole": whole, "own": Transformer()}), "torch", seed=0)

    found = {row.parameter.name: row for row in table}
    for name, largest in theirs.items():
        bound = found["whole." + name].plan.std * 3**0.5
        assert 0.97 * bound < largest <= bound, name
        assert 0.97 * bound < whole.get_parameter(name).abs().max() <= bound, name
    assert found["own.encoder.0.weight"].plan.std == pytest.approx(1 / (3 * 32) ** 0.5)
