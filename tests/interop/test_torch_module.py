"""`init_module` on plain modules: the values of the schemes, in place, whole or not at all; ties, buffers, tables."""

import importlib

import numpy as np
import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

import fanin
from fanin import FaninError, FaninTypeError, FaninValueError, FaninWarning, Normal, Rules
from fanin.torch import init_module, parameters, signal, verify_module
from uncompilable import Uncompilable

# A rule for everything draws norms at random, too, which is told: see tests/rules/test_warnings.py.
pytestmark = pytest.mark.filterwarnings("ignore:a norm's weight gets random values:fanin.FaninWarning")

NORMAL = {"*": {"name": "normal", "std": 0.5}}


class Net(nn.Module):
    """A bit of everything: a tie, norms, buffers of both kinds, a parameter of its own."""

    def __init__(self, dtype=torch.float32):
        super().__init__()
        self.scale = nn.Parameter(torch.ones(3, dtype=dtype))
        self.embed = nn.Embedding(20, 6, dtype=dtype)
        self.blocks = nn.ModuleList([nn.Linear(6, 6, dtype=dtype) for _ in range(2)])
        self.norm = nn.BatchNorm1d(6, dtype=dtype)
        self.head = nn.Linear(6, 20, dtype=dtype)
        self.head.weight = self.embed.weight
        self.register_buffer("mask", torch.ones(4, 4, dtype=torch.bool), persistent=False)
        self.register_buffer("position_ids", torch.full((1, 5), 7))


def raw(tensor):
    return tensor.detach().contiguous().view(-1).view(torch.uint8).numpy().tobytes()


def values(module):
    return {name: tensor.detach().clone() for name, tensor in (*module.named_parameters(), *module.named_buffers())}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64])
def test_values_are_the_schemes(dtype):
    """Each parameter holds `scheme(shape, dtype, seed=, name=)`."""
    net = nn.Sequential(nn.Linear(6, 8, dtype=dtype), nn.Linear(8, 3, dtype=dtype))
    init_module(net, NORMAL, seed=3)
    for name, parameter in net.named_parameters():
        expected = Normal(std=0.5)(tuple(parameter.shape), str(dtype).removeprefix("torch."), seed=3, name=name)
        assert raw(parameter) == expected.tobytes()


def test_memory_gradients_and_flags_stay():
    """In place: the same objects in the same memory, with their gradients; frozen ones are drawn and stay frozen."""
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Linear(4, 4)).to(memory_format=torch.channels_last)
    net[1].bias.requires_grad_(False)
    for parameter in net.parameters():
        parameter.grad = torch.ones_like(parameter)
    before = [(parameter, parameter.data_ptr(), parameter.stride(), parameter.requires_grad, parameter.grad)
              for parameter in net.parameters()]
    with pytest.warns(FaninWarning, match="drawn, though frozen .*: 1.bias$"):
        init_module(net, NORMAL, seed=3)
    for parameter, (same, address, stride, requires_grad, grad) in zip(net.parameters(), before, strict=True):
        assert parameter is same
        assert (parameter.data_ptr(), parameter.stride()) == (address, stride)
        assert parameter.requires_grad is requires_grad
        assert parameter.grad is grad
        assert (grad == 1).all()
        assert parameter.is_leaf
    plain = nn.Conv2d(3, 4, 3)
    init_module(plain, NORMAL, seed=3, prefix="0")
    assert torch.equal(plain.weight, net[0].weight)


def test_autograd_notices():
    """A backward pass over weights that were initialized in between is refused."""
    net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    loss = net(torch.ones(2, 4, requires_grad=True)).square().sum()
    init_module(net, NORMAL, seed=0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()
    net(torch.ones(2, 4)).sum().backward()


def test_ties_are_drawn_once():
    """A tied weight has one draw, under its first name; the other name is a row that says so."""
    net = Net()
    table = init_module(net, NORMAL, seed=1)
    assert net.head.weight is net.embed.weight
    assert raw(net.head.weight) == Normal(std=0.5)((20, 6), seed=1, name="embed.weight").tobytes()
    notes = {row.parameter.name: row.note for row in table}
    assert notes["head.weight"] == "tied to embed.weight"
    assert "head.weight" not in [each.name for each in parameters(net)]

    shared = nn.Linear(3, 3)
    table = init_module(nn.Sequential(shared, nn.ReLU(), shared), NORMAL, seed=1)
    assert [(row.parameter.name, row.note) for row in table][2:] == [
        ("2.weight", "tied to 0.weight"), ("2.bias", "tied to 0.bias")]


def test_a_tied_name_is_a_sibling():
    """A bias may take the fans of a weight that is drawn under another name, and nothing has to match that name."""
    net = Net()
    table = init_module(net, [{"match": "head.bias", "fans_of": "weight", "init": "lecun_normal"},
                              {"match": "re:(embed|blocks|norm|scale).*", "init": {"name": "normal"}}])
    assert {row.parameter.name: row for row in table}["head.bias"].plan.fan_in == 6


def test_parameters_in_the_same_memory_are_tied():
    """Two parameters over all of the same memory are one draw; over a part of it they are an error, without a write."""
    net = nn.Sequential(nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False))
    net[1].weight = nn.Parameter(net[0].weight.data)
    assert init_module(net, NORMAL, seed=0)[1].note == "tied to 0.weight"
    assert raw(net[1].weight) == Normal(std=0.5)((4, 4), seed=0, name="0.weight").tobytes()

    memory = torch.zeros(6, 4)
    net[0].weight, net[1].weight = nn.Parameter(memory[:4]), nn.Parameter(memory[2:])
    with pytest.raises(FaninValueError, match=r"0\.weight and 1\.weight share memory"):
        init_module(net, NORMAL, seed=0)
    assert (memory == 0).all()

    memory = torch.zeros(4, 8)  # columns: their extents meet, their elements don't
    net[0].weight, net[1].weight = nn.Parameter(memory[:, :4]), nn.Parameter(memory[:, 4:])
    init_module(net, NORMAL, seed=0)
    assert raw(memory[:, 4:]) == Normal(std=0.5)((4, 4), seed=0, name="1.weight").tobytes()


def test_buffers_are_left_unless_asked_for():
    """A rule for everything does not touch buffers; `buffers` says which ones rules are asked about."""
    net, untouched = Net(), Net()
    table = init_module(net, NORMAL, seed=0)
    for name, buffer in untouched.named_buffers():
        assert torch.equal(buffer, net.get_buffer(name))
    left = [row.parameter.name for row in table if row.note == "buffer, left as it is"]
    assert left == [name for name, _ in net.named_buffers()]

    persistent = set(net.state_dict()) - {"head.weight"}
    assert {each.name for each in parameters(net, buffers=True)} == persistent
    init_module(net, {"*position_ids": "arange", **NORMAL}, buffers="*position_ids", seed=0)
    assert net.position_ids.tolist() == [[0, 1, 2, 3, 4]]
    assert torch.equal(net.norm.running_var, torch.ones(6))

    init_module(net, {"norm.num*": "zeros", "mask": "zeros", **NORMAL},
                buffers=["norm.*", "mask"], seed=0)
    assert raw(net.norm.running_mean) == Normal(std=0.5)(6, seed=0, name="norm.running_mean").tobytes()
    assert not net.mask.any()


def test_the_table_follows_the_module():
    """A row for each tensor in module order, and a dry run has the same rows and writes nothing."""
    net = Net()
    before = values(net)
    dry = init_module(net, NORMAL, dry_run=True)
    assert all(torch.equal(before[name], tensor) for name, tensor in values(net).items())
    assert dry == init_module(net, NORMAL, seed=0)
    assert [row.parameter.name for row in dry] == [
        "scale", "mask", "position_ids", "embed.weight", "blocks.0.weight", "blocks.0.bias", "blocks.1.weight",
        "blocks.1.bias", "norm.weight", "norm.bias", "norm.running_mean", "norm.running_var",
        "norm.num_batches_tracked", "head.weight", "head.bias"]
    assert [row.parameter for row in dry.drawn] == parameters(net)


def test_rules_in_any_form(tmp_path):
    """One scheme, a mapping, entries, a file, a built-in set: as `Rules.of`."""
    file = tmp_path / "rules.toml"
    file.write_text('[[rule]]\nmatch = "*"\ninit = {name = "normal", std = 0.5}\n')
    results = []
    for rules in (Normal(std=0.5), NORMAL, [("*", Normal(std=0.5))], file, str(file), Rules(NORMAL)):
        net = nn.Linear(3, 4)
        init_module(net, rules, seed=2)
        results.append(raw(net.weight))
    assert len(set(results)) == 1
    init_module(nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4)), "torch", seed=0)


def test_strict_lists_what_no_rule_matches():
    """Unmatched parameters are an error that lists them, and nothing was written; not strict, they stay."""
    net = Net()
    before = values(net)
    with pytest.raises(FaninValueError, match=r"must match a rule: add one for scale, norm\.weight"):
        init_module(net, {"*.bias": "zeros", "embed.*": "ones", "blocks*": "ones"}, seed=0)
    assert all(torch.equal(before[name], tensor) for name, tensor in values(net).items())
    table = init_module(net, Rules({"*.bias": "zeros"}, strict=False), seed=0)
    assert torch.equal(net.scale, before["scale"])
    assert (net.head.bias == 0).all()
    assert table[0].note == "left as it is: no rule matches"


def integers(net):
    net.last = nn.Parameter(torch.zeros(2, dtype=torch.int64), requires_grad=False)


def expanded(net):
    net.last = nn.Parameter(torch.zeros(1, 3).expand(4, 3))


def sparse(net):
    net.last = nn.Parameter(torch.zeros(4, 3).to_sparse())


def narrow(net):
    net.last = nn.Parameter(torch.zeros(4, 3).to(torch.float8_e4m3fn), requires_grad=False)


def on_meta(net):
    net.last = nn.Parameter(torch.zeros(4, 3, device="meta"))


def lazy(net):
    net.last = nn.LazyLinear(3)


def conjugated(net):
    net.last = nn.Parameter(torch.zeros(4, 3, dtype=torch.complex64).conj())


@pytest.mark.parametrize("spoil", [integers, expanded, sparse, narrow, on_meta, lazy, conjugated])
def test_whole_or_not_at_all(spoil):
    """A last parameter that can't be drawn keeps the first from being written; the error names it."""
    net = nn.Sequential(nn.Linear(3, 4))
    spoil(net)
    before = net[0].weight.detach().clone()
    with pytest.raises(FaninError, match="last") as caught:
        init_module(net, NORMAL, seed=0)
    assert "\n" not in str(caught.value)
    assert torch.equal(net[0].weight, before)


def test_what_cant_be_drawn_can_be_kept():
    """A quantized weight is listed, and a rule leaves it alone."""
    net = nn.Sequential(nn.Linear(3, 4))
    narrow(net)
    table = init_module(net, {"last": "keep", **NORMAL}, seed=0)
    assert (table[0].parameter.dtype.name, table[0].note) == ("float8_e4m3fn", "left as it is: a rule says so")


@pytest.mark.parametrize(("arguments", "error", "text"), [
    ({"module": "net"}, FaninTypeError, "`module` must be a torch.nn.Module"),
    ({"rules": "nosuch"}, FaninValueError, "`rules`"),
    ({"seed": -1}, FaninValueError, "`seed`"),
    ({"seed": 1.5}, FaninTypeError, "`seed`"),
    ({"device": "mps"}, FaninValueError, "`device`"),
    ({"device": "nowhere"}, FaninValueError, "`device`"),
    ({"device": "meta"}, FaninValueError, "`device`"),
    ({"buffers": 1}, FaninTypeError, "`buffers`"),
    ({"prefix": None}, FaninTypeError, "`prefix`"),
    ({"dry_run": "yes"}, FaninTypeError, "`dry_run`"),
])
def test_arguments(arguments, error, text):
    """A wrong argument is named, and nothing was written."""
    net = nn.Linear(3, 4)
    before = net.weight.detach().clone()
    with pytest.raises(error, match=text) as caught:
        init_module(**{"module": net, "rules": NORMAL, **arguments})
    assert "\n" not in str(caught.value)
    assert torch.equal(net.weight, before)


def test_prefix():
    """A part of a model gets the values that it gets within the whole."""
    net, part = Net(), Net()
    init_module(net, NORMAL, seed=5)
    for prefix in ("blocks", "blocks."):
        init_module(part.blocks, NORMAL, seed=5, prefix=prefix)
        assert raw(part.blocks[1].weight) == raw(net.blocks[1].weight)
    assert [each.name for each in parameters(part.norm, prefix="norm")] == ["norm.weight", "norm.bias"]


def test_seeds():
    """An int, a stream of it and the default stream give the same values; a stream doesn't move."""
    results, stream = [], fanin.Stream(9)
    fanin.seed(9)
    for seed in (9, stream, None):
        net = nn.Linear(3, 4)
        init_module(net, NORMAL, seed=seed)
        results.append(raw(net.weight))
    assert len(set(results)) == 1
    assert stream.position == 0


def test_no_grad_and_inference_mode():
    """The caller's modes make no difference."""
    net, expected = nn.Linear(3, 4), Normal(std=0.5)((4, 3), seed=0, name="weight").tobytes()
    for mode in (torch.no_grad, torch.enable_grad, torch.inference_mode):
        with mode():
            init_module(net, NORMAL, seed=0)
        assert raw(net.weight) == expected
        nn.init.zeros_(net.weight)
    with torch.inference_mode():
        frozen = nn.Linear(3, 4)
        init_module(frozen, NORMAL, seed=0)
        assert raw(frozen.weight) == expected


def test_torch_and_numpy_generators_stand_still():
    """Nothing is taken from torch's or numpy's global generators."""
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    init_module(nn.utils.skip_init(nn.Linear, 3, 4), NORMAL, seed=0)
    assert torch.equal(torch_state, torch.get_rng_state())
    assert (numpy_state == np.random.get_state()[1]).all()


def test_an_empty_module():
    """Without parameters there is nothing to do."""
    assert len(init_module(nn.ReLU(), NORMAL)) == 0
    assert parameters(nn.ReLU()) == []


# -- whole or not at all ----------------------------------------------------------------------------------------------


def test_tensors_without_elements_have_a_table_and_no_values():
    """A module made under FakeTensorMode is refused in one line that says how to get a real one; its table is made."""
    with FakeTensorMode():
        fake = nn.Linear(3, 4)

    table = init_module(fake, NORMAL, seed=0, dry_run=True)
    assert [row.parameter.shape for row in table] == [(4, 3), (4,)]
    for device in (None, "cpu"):
        with pytest.raises(FaninValueError, match=r"FakeTensors.* as weight, bias\): build it on the meta device"):
            init_module(fake, NORMAL, seed=0, device=device)
    with pytest.raises(FaninValueError, match=r"must have values to compare \(got weight, bias.*FakeTensors"):
        verify_module(fake, NORMAL, seed=0)
    with pytest.raises(FaninValueError, match=r"must have memory \(got FakeTensors.* as weight, bias\)"):
        signal(fake, torch.ones(2, 3))


def test_a_real_tensor_in_fake_tensor_mode():
    """torch refuses every operation on it there: `out` is named, and it keeps its values."""
    real = torch.ones(3)

    with FakeTensorMode(), pytest.raises(FaninTypeError, match="`out`.*FakeTensor"):
        fanin.Normal()(3, out=real, seed=0)

    assert (real == 1).all()


@pytest.mark.parametrize("scheme", [Uncompilable(), fanin.Blocks([Uncompilable(), Normal()])])
def test_a_sampler_that_does_not_compile_shows_before_anything_is_written(scheme):
    """The last parameter's sampler fails in the compiler: the first one is still as it was."""
    module = nn.Linear(3, 4)
    before = values(module)

    with pytest.raises(FaninTypeError, match="text_of must be made of"):
        init_module(module, {"weight": "ones", "bias": scheme}, seed=0)
    assert all(torch.equal(value, before[name]) for name, value in values(module).items())


def test_warnings_point_to_the_callers_line():
    """A warning names the file that called, not one of fanin's or of torch's compiler, which optimizers load too."""
    importlib.import_module("torch._dynamo")  # it wraps what stays out of its graphs
    rules = {"*.weight": "he_normal", "*.bias": "zeros", "nothing": "zeros"}
    for dry_run in (False, True):
        with pytest.warns(FaninWarning) as warned:
            init_module(nn.Sequential(nn.Linear(3, 4)), rules, seed=0, dry_run=dry_run)
        assert {each.filename for each in warned if each.category is FaninWarning} == {__file__}
