"""Wrapped, compiled and parametrized modules: the names, and so the bits, of the plain module."""

import pytest
import torch
from torch import distributed, nn
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper, offload_wrapper
from torch.nn.utils import parametrizations, parametrize

from fanin import FaninError, FaninValueError
from fanin.torch import init_module, parameters

RULES = {"*.bias": "zeros", "*": {"name": "normal", "std": 0.5}}


def plain():
    return nn.Sequential(nn.Linear(6, 8), nn.Sequential(nn.Linear(8, 8), nn.ReLU()), nn.Linear(8, 3))


@pytest.fixture(scope="module")
def _group():
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def compiled(net):
    return torch.compile(net, backend="eager")  # the default one needs a C++ compiler when it runs


def compiled_inside(net):
    net[1] = compiled(net[1])
    return net


def checkpointed(net):
    net[1] = checkpoint_wrapper(net[1])
    net[2] = offload_wrapper(net[2])
    return net


WRAPPED = {
    "compile": compiled,
    "compile, a part": compiled_inside,
    "checkpoint": checkpointed,
    "DDP": nn.parallel.DistributedDataParallel,
    "DataParallel": nn.DataParallel,
    "all": lambda net: compiled(nn.parallel.DistributedDataParallel(checkpointed(net))),
}


@pytest.mark.usefixtures("_group")
@pytest.mark.parametrize("wrap", WRAPPED)
def test_wrappers_leave_no_trace(wrap):
    """Names and bits are those of the plain module, and the wrapped module computes the same."""
    net, expected = plain(), plain()
    init_module(expected, RULES, seed=7)
    wrapped = WRAPPED[wrap](net)
    table = init_module(wrapped, RULES, seed=7)
    assert [row.parameter.name for row in table] == [name for name, _ in expected.named_parameters()]
    assert parameters(wrapped) == parameters(expected)
    for ours, theirs in zip(wrapped.parameters(), expected.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_compiled_code_sees_the_new_weights():
    """A module that has run compiled runs with the weights it is given afterwards."""
    net, expected, batch = plain(), plain(), torch.ones(2, 6)
    running = compiled(net)
    running(batch)
    init_module(running, RULES, seed=7)
    init_module(expected, RULES, seed=7)
    assert torch.equal(running(batch), expected(batch))


def test_a_users_own_module_of_such_a_name_stays():
    """Only the wrappers' types are seen through: a submodule named `module` keeps its name."""
    net = nn.ModuleDict({"module": nn.Linear(2, 2), "_orig_mod": nn.Linear(2, 2)})
    assert [each.name for each in parameters(net)] == [
        "module.weight", "module.bias", "_orig_mod.weight", "_orig_mod.bias"]


class Doubled(nn.Module):
    def forward(self, value):
        return 2 * value

    def right_inverse(self, value):
        return value / 2


class Symmetric(nn.Module):
    """No right_inverse."""

    def forward(self, value):
        return value.triu() + value.triu(1).mT


class Split(nn.Module):
    """Two originals, of which the second is large."""

    def forward(self, small, large):
        return torch.cat([small, large])

    def right_inverse(self, value):
        return value[:1].clone(), value[1:].clone()


class Masked(nn.Module):
    """Its mask is nowhere registered."""

    def __init__(self):
        super().__init__()
        self.mask = torch.eye(6)

    def forward(self, value):
        return self.mask * value


class Stubborn(nn.Module):
    def forward(self, value):
        return value

    def right_inverse(self, value):
        if not value.any():
            raise ValueError("all zeros")
        return value


PARAMETRIZED = {
    "weight_norm": parametrizations.weight_norm,
    "weight_norm, whole": lambda layer: parametrizations.weight_norm(layer, dim=None),
    "orthogonal": parametrizations.orthogonal,
    "cayley": lambda layer: parametrizations.orthogonal(layer, orthogonal_map="cayley", use_trivialization=False),
    "doubled": lambda layer: parametrize.register_parametrization(layer, "weight", Doubled()),
    "symmetric": lambda layer: parametrize.register_parametrization(layer, "weight", Symmetric()),
    "masked": lambda layer: parametrize.register_parametrization(layer, "weight", Masked()),
    "split": lambda layer: parametrize.register_parametrization(layer, "weight", Split()),
}


@pytest.mark.parametrize("kind", PARAMETRIZED)
def test_parametrized_is_initialized_then_parametrized(kind):
    """Initializing a parametrized layer gives what parametrizing an initialized layer gives, in the same memory."""
    layer, expected = nn.Linear(6, 6), nn.Linear(6, 6)
    init_module(expected, {"bias": "zeros", "*": {"name": "normal", "std": 0.5}}, seed=3)
    drawn = expected.weight.detach().clone()
    expected = PARAMETRIZED[kind](expected)
    layer = PARAMETRIZED[kind](layer)
    memory = [parameter.data_ptr() for parameter in layer.parameters()]
    table = init_module(layer, {"bias": "zeros", "*": {"name": "normal", "std": 0.5}}, seed=3)
    assert [parameter.data_ptr() for parameter in layer.parameters()] == memory
    for name, parameter in expected.named_parameters():
        assert torch.equal(layer.get_parameter(name), parameter), name
    assert torch.equal(layer.weight, expected.weight)
    assert parameters(layer)[-1][:2] == ("weight", (6, 6))
    assert parameters(layer)[-1].layer.types == ("Linear",)
    row = {row.parameter.name: row for row in table}["weight"]
    assert ("differ" in row.note) is not torch.equal(layer.weight, drawn), row.note


def test_a_chain_of_parametrizations():
    """The draw goes back through all of them: the weight is what was drawn."""
    layer, expected = nn.Linear(6, 6), nn.Linear(6, 6)
    for _ in range(2):
        parametrize.register_parametrization(layer, "weight", Doubled())
    for each in (layer, expected):
        init_module(each, {"bias": "zeros", "*": {"name": "normal", "std": 0.5}}, seed=3)
    assert torch.equal(layer.parametrizations.weight.original, expected.weight / 4)
    assert torch.equal(layer.weight, expected.weight)


def test_a_parametrized_weights_memory_is_watched():
    """Autograd sees the change of an original."""
    layer = parametrizations.weight_norm(nn.Linear(6, 6))
    loss = layer(torch.ones(2, 6)).square().sum()
    init_module(layer, {"*": {"name": "normal"}}, seed=0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_a_parametrization_that_refuses():
    """A value that a parametrization can't take is an error that names it, before anything was written."""
    net = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    parametrize.register_parametrization(net[1], "weight", Stubborn())
    before = [parameter.detach().clone() for parameter in net.parameters()]
    with pytest.raises(FaninValueError, match=r"'1\.weight'.*Stubborn.*all zeros"):
        init_module(net, {"*": "zeros"}, seed=0)
    assert all(map(torch.equal, before, net.parameters()))


def test_a_parametrization_with_parameters_of_its_own():
    """They have names below the parametrization, and rules for themselves."""

    class Scaled(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))

        def forward(self, value):
            return self.scale * value

    layer = parametrize.register_parametrization(nn.Linear(3, 3, bias=False), "weight", Scaled())
    with pytest.raises(FaninError, match=r"parametrizations\.weight\.0\.scale"):
        init_module(layer, {"weight": "zeros"})
    init_module(layer, {"weight": "ones", "*scale": {"name": "constant", "value": 3.0}}, seed=0)
    assert (layer.weight == 3).all()
