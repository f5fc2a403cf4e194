"""`fanin.torch.signal`: verdicts on networks whose answer is known, figures that are right, and no trace."""

import copy
import json
import math
import random

import numpy as np
import pytest
import torch
import torch.distributed.fsdp
import transformers
from matplotlib import pyplot
from torch import nn
from torch.nn.utils import parametrizations
from torch.utils.checkpoint import checkpoint

import fanin
from fanin._seeding import default_stream
from fanin._signal.verdict import DIES, EXPLODES, LOSS
from fanin.torch import init_module, signal

NORMAL = {"*.bias": "zeros", "*": {"name": "normal", "std": 0.02}}
HE = {"*.bias": "zeros", "*": "he_normal"}


def mlp(activation=nn.ReLU, depth=40, width=256):
    return nn.Sequential(*(layer for _ in range(depth) for layer in (nn.Linear(width, width), activation())))


def noise(*shape):
    return torch.from_numpy(fanin.Normal()(shape, seed=1, name="input"))


def tokens(vocabulary, *shape):
    return torch.from_numpy(np.random.default_rng(1).integers(0, vocabulary, shape))


def tanh_rules(variance, bias=0.0):
    return {"*.bias": {"name": "normal", "std": bias},
            "*": {"name": "variance_scaling", "scale": variance, "distribution": "normal"}}


# -- verdicts ---------------------------------------------------------------------------------------------------------

def test_deep_relu_networks():
    """torch's default and N(0, 0.02) die in 40 layers, at the rates that theory gives; he_normal lives."""
    found = signal(mlp(), noise(64, 256), seed=0, compare={"torch": "torch", "normal": NORMAL, "he": HE})

    assert {label: each.alive for label, each in found.signals.items()} == {"torch": False, "normal": False, "he": True}
    for label, factor in (("torch", math.sqrt(1 / 6)), ("normal", 0.02 * math.sqrt(128)), ("he", 1.0)):
        layers = [row for row in found[label].layers if row.kind == "Linear"]
        back = (layers[0].gradient / layers[-1].gradient) ** (1 / 39)
        assert back == pytest.approx(factor, rel=0.05)
    forward = [row.rms for row in found["normal"].layers if row.kind == "Linear"]
    assert (forward[-1] / forward[0]) ** (1 / 39) == pytest.approx(0.02 * math.sqrt(128), rel=0.05)
    assert "dies" in found["torch"].verdict.words[0] and "he_normal" in found["torch"].verdict.words[-1]


@pytest.mark.parametrize(("variance", "bias", "alive", "words"), [
    (0.5, 0.0, False, "Going forward"),
    (0.5, 0.05, False, "become alike"),
    (1.0, 0.0, True, "Alive"),
    (4.0, 0.0, False, "explodes going back"),
])
def test_the_edge_of_chaos(variance, bias, alive, words):
    """tanh networks of 60 layers: ordered below a weight variance of 1 / fan_in, chaotic far above, alive between."""
    found = signal(mlp(nn.Tanh, 60), noise(16, 256), rules=tanh_rules(variance, bias), seed=0)

    assert found.alive is alive
    assert words in " ".join(found.verdict.words)


def test_exploding_and_overflowing_networks():
    """Weights that are twice as large as He's explode, and what leaves the dtype is counted."""
    rules = {"*.bias": "zeros", "*": {"name": "variance_scaling", "scale": 8.0}}

    found = signal(mlp(), noise(16, 256), rules=rules, seed=0)
    over = signal(mlp().half(), noise(16, 256).half(), rules=rules, seed=0, grad=False)

    assert not found.alive and "explodes" in found.verdict.words[0] and "factor 2" in found.verdict.words[0]
    assert not over.alive and "not finite" in over.verdict.words[0]
    assert sum(row.nonfinite for row in over.layers) > 0


def test_dead_units():
    """A ReLU whose inputs are all negative lets nothing pass, and is named."""
    model = mlp(depth=5)
    init_module(model, {"4.bias": {"name": "constant", "value": -100.0}, "*.bias": "zeros", "*": "he_normal"}, seed=0)

    found = signal(model, noise(16, 256))

    assert not found.alive and any("5 (ReLU)" in words for words in found.verdict.words)
    assert found.layers[5].zeros == 1.0 == found.layers[5].dead and 0.4 < found.layers[1].zeros < 0.6


def test_a_last_layer_of_zeros_is_not_death():
    """Some recipes start the last layer at zero: it is said, and is no fault."""
    model = mlp(depth=5)[:-1]

    found = signal(model, noise(16, 256), rules={"8.weight": "zeros", **HE}, seed=0)

    assert found.alive and "8 starts from zero weights" in " ".join(found.verdict.words)


class Block(nn.Module):
    """A basic block of a ResNet (He et al. 2016)."""

    def __init__(self, entering, leaving):
        super().__init__()
        stride = 1 if entering == leaving else 2
        self.conv1, self.bn1 = nn.Conv2d(entering, leaving, 3, stride, 1, bias=False), nn.BatchNorm2d(leaving)
        self.conv2, self.bn2 = nn.Conv2d(leaving, leaving, 3, 1, 1, bias=False), nn.BatchNorm2d(leaving)
        self.shortcut = nn.Conv2d(entering, leaving, 1, stride, bias=False) if stride == 2 else nn.Identity()

    def forward(self, x):
        return torch.relu(self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x))))) + self.shortcut(x))


def resnet(widths=(16, 16, 16, 32, 32, 64, 64, 128, 128)):
    blocks = [Block(*pair) for pair in zip(widths, widths[1:])]
    return nn.Sequential(nn.Conv2d(3, widths[0], 3, padding=1), nn.BatchNorm2d(widths[0]), nn.ReLU(), *blocks,
                         nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], 10))


@pytest.mark.parametrize("zero", [False, True])
def test_residual_networks_are_alive(zero):
    """A ResNet lives, also where the branches' last norms are zero: the sum goes round them."""
    rules = {**({"*.bn2.weight": "zeros"} if zero else {}), "re:.*conv.\\.weight": "he_normal"}

    found = signal(resnet(), noise(4, 3, 32, 32), rules=fanin.Rules.read("torch").override(rules), seed=0)

    assert found.alive
    assert any(row.rms == 0 for row in found.layers) is zero


def test_gpt2_is_alive_and_its_loss_is_near_a_guess():
    """GPT-2's own initialization: alive, and a loss of ln(vocabulary)."""
    config = transformers.GPT2Config(vocab_size=1000, n_embd=128, n_layer=12, n_head=4, bos_token_id=0, eos_token_id=0)
    ids = tokens(1000, 2, 32)

    found = signal(transformers.GPT2LMHeadModel(config).eval(), {"input_ids": ids, "labels": ids},
                   rules="transformer", seed=0)

    assert found.alive and len(found.verdict.words) == 1
    assert found.loss.source == "the model's own loss" and found.loss.is_logits and found.loss.classes == 1000
    assert found.loss.value == pytest.approx(math.log(1000), rel=0.05)


def test_t5_with_an_untied_head_starts_at_a_huge_loss():
    """A head with std 1 makes logits with a std of √d: the loss is many times ln(vocabulary), and that is said."""
    config = transformers.T5Config(vocab_size=1000, d_model=512, d_ff=256, num_layers=2, num_heads=8,
                                   tie_word_embeddings=False, decoder_start_token_id=0, pad_token_id=0)
    model, ids = transformers.T5ForConditionalGeneration(config), tokens(1000, 2, 16)
    nn.init.normal_(model.lm_head.weight, std=1.0)

    found = signal(model.eval(), {"input_ids": ids, "labels": ids})

    assert found.loss.value > LOSS * math.log(1000)
    assert "initial loss" in found.verdict.words[-1] and "6.91" in found.verdict.words[-1]
    nn.init.normal_(model.lm_head.weight, std=512**-0.5)
    assert "initial loss" not in " ".join(signal(model, {"input_ids": ids, "labels": ids}).verdict.words)


# -- figures ----------------------------------------------------------------------------------------------------------

def test_figures_are_those_of_the_tensors():
    """rms, ratio, zeros, cosine, gradients, std and norm are what a user computes by hand."""
    model, batch = nn.Sequential(nn.Linear(30, 20), nn.ReLU(), nn.Linear(20, 10)), noise(8, 30)
    target = torch.arange(8) % 10
    hidden = model[0](batch)
    hidden.retain_grad()
    output = model[2](model[1](hidden))
    first, second = output.detach()[:2]
    loss = nn.functional.cross_entropy(output, target)
    loss.backward()

    found = signal(model, batch, loss=lambda output: nn.functional.cross_entropy(output, target), spectrum=True)

    linear, relu, last = found.layers
    weight = model[0].weight.detach()
    assert linear[:4] == ("0", "Linear", 1, 160) and (linear.weight, linear.fan_in) == ("0.weight", 30)
    for value, tensor in ((linear.rms, hidden), (linear.gradient, hidden.grad), (last.rms, output),
                          (linear.weight_gradient, model[0].weight.grad)):
        assert value == pytest.approx(float(tensor.detach().square().mean().sqrt()), rel=1e-5)
    assert linear.ratio == pytest.approx(linear.rms / float(batch.square().mean().sqrt()), rel=1e-5)
    off = (hidden <= 0).double()
    assert (relu.zeros, relu.dead) == (float(off.mean()), float(off.prod(0).mean()))
    assert last.cosine == pytest.approx(float(nn.functional.cosine_similarity(first, second, dim=0)), abs=1e-6)
    assert linear.weight_std == pytest.approx(float(weight.std(correction=0)), rel=1e-4)
    assert 0.9 < linear.weight_norm / float(torch.linalg.matrix_norm(weight, 2)) < 1 + 1e-5
    assert found.spectra["0.weight"] == pytest.approx(torch.linalg.svdvals(weight).tolist(), rel=1e-5)
    assert found.loss.value == pytest.approx(float(loss.detach()), rel=1e-6)
    model.zero_grad()


def test_numbers_beyond_float32s_squares():
    """An rms of 1e-30 or 1e30 is told, though its square is no float32 number."""
    from fanin.torch._measuring.numbers import rms

    for scale in (1e-30, 1e-22, 1.0, 1e30):
        assert rms(noise(1000) * scale) == pytest.approx(scale, rel=0.1)
    assert rms(torch.zeros(3)) == 0.0 and math.isnan(rms(torch.tensor([1.0, math.nan])))


def test_rules_draw_what_init_module_draws():
    """The figures are those of a module that was initialized by the same rules and seed."""
    model, batch = mlp(depth=3), noise(8, 256)
    other = copy.deepcopy(model)
    init_module(other, HE, seed=5)

    assert signal(model, batch, rules=HE, seed=5).layers == signal(other, batch).layers


def test_a_layer_that_is_called_twice_has_two_rows():
    """Shared layers are listed in order of execution, once for each call."""
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc = nn.Linear(8, 8)

        def forward(self, x):
            return self.fc(torch.relu(self.fc(x)))

    assert [row.title for row in signal(Twice(), noise(4, 8)).layers] == ["fc", "fc, call 2"]


# -- no trace ---------------------------------------------------------------------------------------------------------

class Everything(nn.Module):
    """Whatever a forward pass may change: statistics, masks, iterations, attributes, memory in place."""

    def __init__(self):
        super().__init__()
        self.start = nn.ReLU(inplace=True)  # which writes into the batch
        self.inner = nn.Sequential(nn.Linear(16, 16), nn.BatchNorm1d(16), nn.Dropout(0.5))
        self.normed = parametrizations.spectral_norm(nn.Linear(16, 16))
        self.old = nn.utils.weight_norm(nn.Linear(16, 16))
        self.rnn = nn.LSTM(16, 16)
        self.tied = nn.Linear(16, 16, bias=False)
        self.tied.weight = self.inner[0].weight
        self.calls, self.fail = 0, False

    def forward(self, x):
        self.calls += 1
        self.last = x
        random.random()
        np.random.random()
        x = checkpoint(self.inner, self.start(x), use_reentrant=False)
        x = self.rnn(self.old(self.normed(x))[None])[0][0]
        if self.fail:
            raise ValueError("the model's own")
        return self.tied(x)


def everything(model, inputs):
    """All that could show a trace."""
    tensors = {**dict(model.named_parameters(remove_duplicate=False)),
               **dict(model.named_buffers(remove_duplicate=False))}
    return {
        "tensors": {name: (id(tensor), tensor.data_ptr(), tensor._version, tensor.detach().numpy().tobytes(),
                           tensor.requires_grad, None if tensor.grad is None else tensor.grad.numpy().tobytes())
                    for name, tensor in tensors.items()},
        "attributes": {name: {key: len(value) if isinstance(value, dict) else repr(value) for key, value in
                              vars(part).items() if not isinstance(value, torch.Tensor)}
                       for name, part in model.named_modules()},
        "torch": torch.get_rng_state().numpy().tobytes(), "python": random.getstate(),
        "numpy": np.random.get_state()[1].tobytes(), "fanin": default_stream().position,
        "inputs": inputs.numpy().tobytes(),
    }


@pytest.fixture
def model():
    with pytest.warns(FutureWarning, match="weight_norm"):
        made = Everything()
    made(noise(8, 16).clone()).sum().backward()  # gradients that must stay
    made.normed.eval()
    return made


@pytest.mark.parametrize("options", [{}, {"grad": False}, {"spectrum": True}, {"loss": lambda y: y.square().mean()}],
                         ids=["plain", "forward", "spectrum", "loss"])
def test_no_trace(model, options):
    """Parameters, buffers, gradients, versions, modes, hooks, attributes, inputs and generators are what they were."""
    inputs = noise(8, 16)
    before = everything(model, inputs)

    found = signal(model, inputs, **options)

    assert everything(model, inputs) == before
    assert {"start", "inner.0", "inner.1", "normed", "old", "rnn", "tied"} <= {row.layer for row in found.layers}


@pytest.mark.parametrize("fail", [False, True])
def test_no_trace_of_a_draw(model, fail):
    """With rules, too, also when the model raises; only the versions of what was drawn have moved."""
    model.fail, inputs = fail, noise(8, 16)
    before = everything(model, inputs)

    if fail:
        with pytest.raises(ValueError, match="the model's own"):
            signal(model, inputs, rules="torch", seed=3)
    else:
        signal(model, inputs, rules="torch", seed=3)

    after = everything(model, inputs)
    for state in (before, after):
        state["tensors"] = {name: figures[:2] + figures[3:] for name, figures in state["tensors"].items()}
    assert after == before


def test_wrapped_and_compiled_modules_are_measured_as_plain_ones():
    """torch.compile and DistributedDataParallel change no figure, and no wrapper is called: it may wait for others."""
    model, batch = mlp(depth=3), noise(8, 256)
    plain = signal(model, batch).layers
    compiled = torch.compile(model, backend="eager")

    assert signal(compiled, batch).layers == plain
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    try:
        wrapped = nn.parallel.DistributedDataParallel(model)
        called: list[nn.Module] = []
        with wrapped.register_forward_pre_hook(lambda module, inputs: called.append(module)):
            assert signal(wrapped, batch).layers == signal(nn.DataParallel(model), batch).layers == plain
        assert signal(wrapped, batch).model == signal(model, batch).model == "Sequential" and not called
        wrapped(batch).sum().backward()
    finally:
        torch.distributed.destroy_process_group()


def test_autocast_around_the_call():
    """The pass runs under the user's autocast, which is said, and figures are no worse than its rounding."""
    model, batch = mlp(depth=3), noise(8, 256)
    with torch.autocast("cpu", torch.bfloat16), torch.no_grad():
        found = signal(model, batch, rules=HE, seed=0)
    plain = signal(model, batch, rules=HE, seed=0)

    assert "autocast to bfloat16" in found.mode and found.layers != plain.layers
    assert [row.rms for row in found.layers] == pytest.approx([row.rms for row in plain.layers], rel=0.02)
    assert [row.weight_std for row in found.layers] == [row.weight_std for row in plain.layers]


def test_a_forward_pass_that_writes_into_parameters_is_told():
    """What a model does to its own parameters can't be put back, so it is a warning with the remedy."""
    class Codebook(nn.Linear):
        def forward(self, x):
            with torch.no_grad():
                self.weight.mul_(0.99)
            return super().forward(x)

    with pytest.warns(fanin.FaninWarning, match=r"writes into parameters \(weight\).*deepcopy"):
        signal(Codebook(8, 8), noise(4, 8))


# -- errors -----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("options", "message"), [
    ({"rules": HE, "compare": {"he": HE}}, "`rules` and `compare` must not both"),
    ({"compare": {}}, "`compare` must be a mapping"),
    ({"compare": {"mine": {"*": "bogus"}}}, "`compare` at 'mine': rule 1"),
    ({"loss": 3}, "`loss` must be a function"),
    ({"loss": lambda y: y}, "one element"),
    ({"loss": lambda y: torch.tensor(1.0)}, "requires a gradient"),
    ({"seed": -1}, "`seed`"),
])
def test_arguments_are_refused(options, message):
    """What can't be measured is named, with the remedy."""
    with pytest.raises(fanin.FaninError, match=message):
        signal(mlp(depth=1), noise(8, 256), **options)


def test_modules_are_refused():
    """On meta, scripted or sharded; and a call without a batch."""
    with torch.device("meta"):
        empty = nn.Linear(4, 4)
    with pytest.raises(fanin.FaninValueError, match=r"init_module\(model, rules, device='cpu'\)"):
        signal(empty, noise(2, 4))
    with pytest.raises(fanin.FaninValueError, match="`inputs` must hold a batch"):
        signal(nn.Linear(4, 4))
    with pytest.raises(fanin.FaninValueError, match="`inputs` must have elements"):
        signal(nn.Linear(4, 4), noise(0, 4))
    torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
    try:
        sharded = torch.distributed.fsdp.fully_shard(
            nn.Linear(4, 4), mesh=torch.distributed.device_mesh.init_device_mesh("cpu", (1,)))
        with pytest.raises(fanin.FaninTypeError, match="must not be sharded"):
            signal(sharded, noise(2, 4))
    finally:
        torch.distributed.destroy_process_group()


# -- to look at -------------------------------------------------------------------------------------------------------

def test_results_as_data_and_as_text():
    """Plain values that JSON takes, and lines of 80 characters; a run of layers is one row."""
    found = signal(mlp(), noise(8, 256), compare={"as it is": None, "he": HE}, seed=0)

    rows = json.loads(json.dumps(found.to_dicts()))
    assert len(rows) == 160 and rows[80]["label"] == "he" and rows[80]["layer"] == "0"
    folded, whole = found["he"].to_text(width=80), found["he"].to_text(width=80, unfold=True)
    assert max(map(len, [*folded.splitlines(), *found.to_text(width=80).splitlines()])) <= 80
    assert "{0,2..78} ×40" in folded and len(whole.splitlines()) > 80 > 30 > len(folded.splitlines())
    assert "he: Alive" in found.to_text() and "Alive" in found["he"]._repr_html_()


def test_pictures_do_not_touch_pyplot():
    """A figure has a panel forward and one backward, with a line for each label, and pyplot doesn't know of it."""
    found = signal(mlp(depth=4), noise(8, 256), compare={"torch": "torch", "he": HE}, seed=0)

    figure = found.plot()

    assert pyplot.get_fignums() == []
    assert [[line.get_label() for line in axes.lines if line.get_label() != "_mark"] for axes in figure.axes] == [
        ["torch", "he"]] * 2
    (he,) = [line for line in figure.axes[0].lines if line.get_label() == "he"]
    assert he.get_ydata().tolist() == [row.rms for row in found["he"].layers]
    assert {text.get_text() for text in figure.legends[0].get_texts()} == {"torch", "he"}
    assert DIES < 1 < EXPLODES


@pytest.mark.parametrize(("rules", "grad", "marks"), [
    (HE, True, [[], []]),
    (NORMAL, True, [["dies"], ["dies"]]),
    ({"*.bias": "zeros", "*": {"name": "variance_scaling", "scale": 8.0}}, True, [["explodes"], ["explodes"]]),
    ({"20.bias": {"name": "constant", "value": math.inf}, **HE}, False, [["not finite"]]),
])
def test_pictures_mark_where_the_signal_is_lost(rules, grad, marks):
    """A mark and a word stand at the layer that the verdict names, forward and backward; where it lives, none."""
    found = signal(mlp(), noise(16, 256), rules=rules, seed=0, grad=grad)

    axes = found.plot().axes

    assert [[text.get_text() for text in each.texts] for each in axes] == marks
    for fault in found.verdict.faults:
        layer = found.layers[fault.place]
        assert layer.title in fault.text
        (text,) = axes[fault.backward].texts
        assert abs(text.xy[0] - fault.place) <= 1
        value = layer.gradient if fault.backward else layer.rms
        assert text.xy[1] == value or not math.isfinite(value)
