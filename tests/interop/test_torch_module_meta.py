"""Modules on the meta device: untouched, or materialized whole, with their ties, and with real values in buffers."""

import contextlib
import copy

import pytest
import torch
from torch import nn

from fanin import FaninRuntimeError, FaninTypeError, FaninValueError, FaninWarning, Rules
from fanin.torch import init_module, parameters

# These rules serve many models; what fanin says about that is tested in tests/rules/test_warnings.py.
pytestmark = pytest.mark.filterwarnings("ignore::fanin.FaninWarning")

RULES = {"*.bias": "zeros", "*": {"name": "normal", "std": 0.5}}


class Rotary(nn.Module):
    """Fills its buffer as torch asks of modules on meta."""

    def __init__(self, size=8, method="reset_parameters"):
        super().__init__()
        self.size = size
        self.register_buffer("inv_freq", torch.empty(size // 2), persistent=False)
        if method:
            setattr(self, method, self.fill)
            self.fill()

    def fill(self):
        with torch.no_grad():
            self.inv_freq.copy_(10000.0 ** (-torch.arange(0, self.size, 2) / self.size))


class Net(nn.Module):
    def __init__(self, rotary=Rotary):
        super().__init__()
        self.embed = nn.Embedding(20, 8, padding_idx=0)
        self.rotary = rotary()
        self.lstm = nn.LSTM(8, 8)
        self.norm = nn.BatchNorm1d(8)
        self.head = nn.Linear(8, 20)
        self.head.weight = self.embed.weight

    def forward(self, ids):
        out, _ = self.lstm(self.embed(ids) + self.rotary.inv_freq.repeat(2))
        return self.head(self.norm(out.flatten(0, 1)))


def on_meta(make=Net):
    with torch.device("meta"):
        return make()


def test_an_error_without_a_device():
    """A module on meta is left alone, with an error that says what to do; the table alone is no problem."""
    net = on_meta()
    with pytest.raises(FaninValueError, match=r"`device`.*embed\.weight.*device='cpu'.*dry_run=True"):
        init_module(net, RULES, seed=0)
    assert all(tensor.is_meta for tensor in (*net.parameters(), *net.buffers()))
    assert init_module(net, RULES, dry_run=True) == init_module(Net(), RULES, dry_run=True)
    assert parameters(net, buffers=True) == parameters(Net(), buffers=True)


@pytest.mark.parametrize("rotary", [Rotary, lambda: Rotary(method="init_non_persistent_buffers")])
def test_equals_the_module_built_with_memory(rotary):
    """Parameters, buffers, ties and outputs are those of a module built on the CPU; notes say who filled buffers."""
    net, expected = on_meta(lambda: Net(rotary)), Net(rotary)
    init_module(expected, RULES, seed=4)
    table = init_module(net, RULES, seed=4, device="cpu")
    assert net.head.weight is net.embed.weight
    for (name, ours), (_, theirs) in zip((*net.named_parameters(), *net.named_buffers()),
                                         (*expected.named_parameters(), *expected.named_buffers()), strict=True):
        assert torch.equal(ours, theirs), name
        assert (ours.requires_grad, type(ours)) == (theirs.requires_grad, type(theirs))
    ids = torch.arange(6).reshape(3, 2)
    assert torch.equal(net(ids), expected(ids))
    notes = {row.parameter.name: row.note for row in table}
    assert notes["norm.running_var"] == "buffer, filled by BatchNorm1d.reset_running_stats"
    assert notes["rotary.inv_freq"].startswith("buffer, filled by Rotary.")
    assert notes["head.weight"] == "tied to embed.weight"


def test_a_buffer_that_nothing_fills():
    """Then the module stays on meta, and the error names the buffer; a rule for it is a way out."""
    net = on_meta(lambda: Net(lambda: Rotary(method=None)))
    with pytest.raises(FaninValueError, match=r"nothing gives values to rotary\.inv_freq\): name them in `buffers`"):
        init_module(net, RULES, seed=0, device="cpu")
    assert all(tensor.is_meta for tensor in (*net.parameters(), *net.buffers()))
    assert net.head.weight is net.embed.weight
    init_module(net, {"rotary.inv_freq": "ones", **RULES}, seed=0, device="cpu", buffers="rotary.*")
    assert (net.rotary.inv_freq == 1).all()
    assert (net.norm.running_var == 1).all()


def test_a_method_that_fails():
    """Its error is told with the module's name, and the module stays on meta."""

    class Failing(Rotary):
        def reset_parameters(self):
            raise ZeroDivisionError("no size")

    net = on_meta(lambda: Net(lambda: Failing(method=None)))
    with pytest.raises(FaninRuntimeError, match=r"rotary.*Failing\.reset_parameters.*no size"):
        init_module(net, RULES, seed=0, device="cpu")
    assert all(tensor.is_meta for tensor in (*net.parameters(), *net.buffers()))


def test_every_parameter_needs_a_value():
    """What stays as it is would be garbage: an error, not a surprise."""
    for rules in (Rules({"*.weight": "ones"}, strict=False), {"*.bias": "keep", "*": "ones"}):
        net = on_meta(lambda: nn.Sequential(nn.Linear(2, 2)))
        with pytest.raises(FaninValueError, match=r"`rules` must give a value.*0\.bias"):
            init_module(net, rules, device="cpu")
        assert net[0].weight.is_meta


def test_attributes_and_strides_stay():
    """What others have put on a parameter comes along, and so does its memory format."""
    net = on_meta(lambda: nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last))
    net.weight.infshape, net.bias.requires_grad = "wide", False
    init_module(net, {"bias": "zeros", "*": "he_normal"}, seed=0, device="cpu")
    assert net.weight.infshape == "wide"
    assert not net.bias.requires_grad
    assert net.weight.is_contiguous(memory_format=torch.channels_last)


def test_what_has_memory_stays():
    """In a module that is on meta in part the rest stays where it is, with its values if a rule says so."""
    net = nn.Sequential(nn.Linear(2, 2), on_meta(lambda: nn.Linear(2, 2)), nn.BatchNorm1d(2))
    net[2].running_mean.fill_(5)
    kept, address = net[0].weight.detach().clone(), net[0].weight.data_ptr()
    table = init_module(net, {"0.*": "keep", **RULES}, seed=0, device="cpu")
    assert torch.equal(net[0].weight, kept)
    assert net[0].weight.data_ptr() == address
    assert (net[2].running_mean == 5).all()
    assert not any(tensor.is_meta for tensor in (*net.parameters(), *net.buffers()))
    assert {row.parameter.name: row.note for row in table}["2.running_mean"] == "buffer, left as it is"


def test_random_buffers_follow_the_seed():
    """A buffer that its module draws from torch's generator is the same for the same seed; the generator stays."""

    class Fourier(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.empty(3, 3))
            self.register_buffer("features", torch.empty(5))

        def reset_parameters(self):
            nn.init.normal_(self.weight)
            nn.init.normal_(self.features)

    results = []
    for seed in (1, 1, 2):
        net, state = on_meta(Fourier), torch.get_rng_state()
        init_module(net, {"*": "ones"}, seed=seed, device="cpu")
        assert torch.equal(state, torch.get_rng_state())
        assert (net.weight == 1).all()
        results.append(net.features.tolist())
    assert results[0] == results[1] != results[2]


def test_parametrized_on_meta():
    """The originals get memory, then values."""
    make = lambda: nn.utils.parametrizations.weight_norm(nn.Linear(4, 4))  # noqa: E731
    net, expected = on_meta(make), make()
    for each in (net, expected):
        init_module(each, {"bias": "zeros", "*": {"name": "normal"}}, seed=0, device="cpu")
    assert torch.equal(net.weight, expected.weight)


def test_a_shared_buffer_stays_shared():
    """One buffer in two places is one buffer afterwards."""
    def make():
        net = nn.Sequential(Rotary(), Rotary())
        net[1].inv_freq = net[0].inv_freq
        return net

    net = on_meta(make)
    table = init_module(net, RULES, device="cpu")
    assert net[1].inv_freq is net[0].inv_freq
    assert torch.equal(net[0].inv_freq, Rotary().inv_freq)
    assert [row.note for row in table][1] == "tied to 0.inv_freq"


class Window(nn.Module):
    """As timm's windowed attention: its buffers go where a parameter is, and it draws all anew by the way."""

    def __init__(self):
        super().__init__()
        self.norm = nn.LayerNorm(4)
        self.register_buffer("index", torch.empty(4, dtype=torch.long), persistent=False)
        self.register_buffer("mask", None, persistent=False)
        self.reset_parameters()

    def reset_parameters(self):
        nn.init.normal_(self.norm.weight)
        self.init_non_persistent_buffers()

    def init_non_persistent_buffers(self):
        device = self.norm.weight.device
        with torch.no_grad():
            self.norm.bias.fill_(7)
            self.index.copy_(torch.arange(4, device=device))
        self.register_buffer("mask", torch.full((2, 2), -100.0, device=device), persistent=False)


def test_buffers_that_go_where_a_parameter_is():
    """They are filled as on the CPU, and what has values, a weight or another buffer, is never written by the way."""
    net, expected = on_meta(Window), Window()
    for each in (net, expected):
        init_module(each, {"*": "ones"}, seed=0, device="cpu")
    assert all(map(torch.equal, (*net.parameters(), *net.buffers()), (*expected.parameters(), *expected.buffers())))

    net.index, before = net.index.to("meta"), copy.deepcopy(net.norm.state_dict())
    mask = net.mask.fill_(5)
    init_module(net, {"*": "keep"}, seed=0, device="cpu")
    assert all(map(torch.equal, before.values(), net.norm.state_dict().values()))
    assert net.mask is mask
    assert (mask == 5).all()
    assert net.index.tolist() == [0, 1, 2, 3]


def test_refilled_buffers():
    """Buffers with memory get their modules' own values, by name; a name that no buffer has is an error."""
    net = Net()
    frequencies, memory = net.rotary.inv_freq.clone(), net.rotary.inv_freq.data_ptr()
    net.rotary.inv_freq.fill_(5)
    net.norm.running_var.fill_(5)
    with pytest.raises(FaninValueError, match=r"`refill_buffers` must name buffers .*got 'rotari\.\*'"):
        init_module(net, RULES, refill_buffers="rotari.*")
    init_module(net, RULES, seed=0, refill_buffers="rotary.*")
    assert torch.equal(net.rotary.inv_freq, frequencies)
    assert net.rotary.inv_freq.data_ptr() == memory
    assert (net.norm.running_var == 5).all()
    init_module(net, {"norm.running_mean": "ones", **RULES}, seed=0, refill_buffers=True, buffers="*.running_mean")
    assert (net.norm.running_var == 1).all()
    assert (net.norm.running_mean == 1).all()
    with pytest.raises(FaninTypeError, match="`refill_buffers` must be True, False, or a glob"):
        init_module(net, RULES, refill_buffers=3)


def test_a_buffer_that_nothing_refills():
    """An error names it, and all of the module is as it was."""
    net = Net(lambda: Rotary(method=None))
    net.norm.running_var.fill_(5)
    before = copy.deepcopy(net.state_dict())
    with pytest.raises(FaninValueError, match=r"nothing gives values to rotary\.inv_freq"):
        init_module(net, RULES, seed=0, refill_buffers=True)
    assert all(map(torch.equal, before.values(), net.state_dict().values()))


@pytest.mark.parametrize(("name", "values", "told"), [
    ("scale", [1.0, float("nan")], True), ("scale", [float("inf"), 1.0], True), ("scale", [1e-42, 1.0], True),
    ("scale", [3e38, 1.0], True), ("scale", [0.0, 0.0], False), ("inv_freq", [0.0, 0.0], True),
    ("running_var", [0.0, 0.0], True), ("inv_freq", [1.0, 1e-8], False),
    ("mask", [float("-inf"), 0.0], False), ("mask", [torch.finfo(torch.float32).min, 0.0], False),
    ("freqs_cis", [complex(1, 1e-42), 1.0], True), ("freqs_cis", [1j, 1.0], False),
])
def test_buffers_that_look_unfilled(name, values, told):
    """NaN, infinity, and numbers that only memory has are told; masks and small frequencies are none."""
    net = nn.Linear(2, 2)
    net.register_buffer(name, torch.tensor(values))
    with (pytest.warns(FaninWarning, match=rf"nobody had filled their memory.*: {name}") if told
          else contextlib.nullcontext()):
        table = init_module(net, {"bias": "zeros", "weight": "ones"}, dry_run=True)
    assert bool(table.warnings) is told
