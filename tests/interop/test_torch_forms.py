"""Scripted, traced and exported modules: the plain module's bits where its layers are still known, or refused."""

import pytest
import torch
from torch import fx, nn

from fanin import FaninTypeError
from fanin.torch import init_module, parameters

# torch's own words about its scripts, and about itself
pytestmark = [pytest.mark.filterwarnings("ignore::DeprecationWarning"),
              pytest.mark.filterwarnings("ignore::FutureWarning")]
RULES = {"*.bias": "zeros", "*": "he_normal"}
BATCH = torch.ones(1, 4, 5)


def plain():
    return nn.Sequential(nn.Conv1d(4, 6, 3, padding=1), nn.Sequential(nn.ReLU(), nn.ConvTranspose1d(6, 4, 3)))


def inside(form):
    def build(net):
        net[1] = form(net[1])
        return net
    return build


LOST = {
    "script": torch.jit.script,
    "a part scripted": inside(torch.jit.script),
    "trace": lambda net: torch.jit.trace(net, (BATCH,)),
    "export": lambda net: torch.export.export(net, (BATCH,)).module(),
    "unflatten": lambda net: torch.export.unflatten(torch.export.export(net, (BATCH,))),
}


@pytest.mark.parametrize("form", LOST)
def test_forms_without_layers_are_refused(form):
    """The error names the form, the parameters and the way out, and nothing is written."""
    net = LOST[form](plain())
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    with pytest.raises(FaninTypeError, match=r"`module` must have layers .*weight.*initialize the plain module before"):
        init_module(net, RULES, seed=0)
    with pytest.raises(FaninTypeError, match="`module` must have layers"):
        parameters(net)
    assert all(map(torch.equal, before.values(), net.state_dict().values()))


def test_a_traced_graph_keeps_torchs_layers():
    """torch.fx leaves torch's own layers as they are: the plain module's names and bits."""
    net, expected = fx.symbolic_trace(plain()), plain()
    table = init_module(net, RULES, seed=0)
    assert [row.parameter for row in table] == parameters(expected)
    init_module(expected, RULES, seed=0)
    assert all(map(torch.equal, net.parameters(), expected.parameters()))


def test_a_traced_layer_of_the_users_own():
    """Of a class of the user's torch.fx keeps the parameters alone: what it was can't be told, and so it is refused."""
    class Mine(nn.ConvTranspose1d):
        pass

    class Holder(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(3))

        def forward(self, batch):
            return batch * self.weight

    for net, name in [(nn.Sequential(Mine(4, 6, 3)), "0.weight"), (Holder(), "weight")]:
        with pytest.raises(FaninTypeError, match=f"{name}.* in a torch.fx graph"):
            init_module(fx.symbolic_trace(net), RULES, seed=0)


def test_what_has_no_parameters_may_be_scripted():
    """A scripted activation in a plain module is no matter."""
    net = nn.Sequential(nn.Linear(3, 3), torch.jit.script(nn.Sigmoid()))
    init_module(net, RULES, seed=0)
    assert not net[0].bias.any()
