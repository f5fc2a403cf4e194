"""Files and the `torch` rule set against torch itself."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

import fanin.checkpoint
import fanin.torch
from fanin import FaninError
from fanin._dtypes import as_dtype
from fanin.checkpoint._format import code_of, parse_dtype
from fanin.cli import main
from fanin.rules import Parameter, Rules

MINILM = Path(__file__).parent.parent.parent / "examples" / "minilm-l6.json"


@pytest.mark.parametrize("dtype", ["F32", "BF16"])
def test_torch_opens_minilm(tmp_path, dtype):
    """The official reader gives torch tensors of the names, shapes and dtypes asked for."""
    path = tmp_path / "minilm.safetensors"
    table = json.loads(MINILM.read_text())

    assert main(["init", str(MINILM), "--rules", "transformer", "--dtype", dtype, "-o", str(path)]) == 0

    loaded = load_file(path)
    assert {name: list(tensor.shape) for name, tensor in loaded.items()} == {n: e["shape"] for n, e in table.items()}
    for name, tensor in loaded.items():
        code = code_of(parse_dtype(str(tensor.dtype)))
        assert code == ("I64" if name.endswith("position_ids") else dtype)
        if tensor.ndim == 2 and code != "I64":
            rms = tensor.double().square().mean().sqrt().item()
            assert rms == pytest.approx(0.02, rel=6 / (2 * tensor.numel()) ** 0.5)


def test_a_model_saved_by_torch_is_a_spec(tmp_path):
    """A checkpoint's own file is initialized anew under the same names; `load_state_dict` takes it."""
    model = nn.Sequential(nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.Flatten(), nn.Linear(8, 4))
    save_file(model.state_dict(), tmp_path / "old.safetensors")

    assert main(["init", str(tmp_path / "old.safetensors"), "--rules", "torch", "-o", str(tmp_path / "new")]) == 0

    model.load_state_dict(load_file(tmp_path / "new"), strict=True)
    assert model[0].weight.abs().max().item() <= 27**-0.5
    assert model[1].num_batches_tracked.item() == 0


def test_float8_tensors_hold_constants(tmp_path):
    """A file's float8 tensors are, byte for byte, the official writer's; what is random is drawn in a wider dtype."""
    narrow = (torch.float8_e4m3fn, torch.float8_e5m2, torch.float8_e8m0fnu, torch.float8_e4m3fnuz,
              torch.float8_e5m2fnuz)
    tensors = {f"scale.{dtype}": torch.ones(3, 5).to(dtype) for dtype in narrow}
    spec, ours = tmp_path / "official", tmp_path / "ours"
    save_file({**tensors, "count": torch.ones(4, dtype=torch.uint8), "w": torch.ones(2, dtype=torch.bfloat16)}, spec)

    fanin.checkpoint.init(spec, ours, {"*": "ones"}, seed=0)
    with pytest.raises(FaninError, match="float8_e5m2fnuz.*wider than 8 bits"):
        fanin.checkpoint.init(spec, tmp_path / "random", {"count": "ones", "*": "normal"}, seed=0)
    fanin.checkpoint.init(spec, tmp_path / "wide", {"count": "ones", "*": "normal"}, seed=0, dtype="bfloat16")

    size = sum(tensor.nbytes for tensor in load_file(spec).values())
    assert ours.read_bytes()[-size:] == spec.read_bytes()[-size:]
    assert {name: tensor.dtype for name, tensor in load_file(ours).items()} == {
        name: tensor.dtype for name, tensor in load_file(spec).items()}
    assert fanin.checkpoint.verify(ours)[0].problem is None
    assert not (tmp_path / "random").exists()
    assert {tensor.dtype for tensor in load_file(tmp_path / "wide").values()} == {torch.uint8, torch.bfloat16}


def layers():
    """Layers large enough that a sample std is near the true one."""
    return nn.ModuleDict({
        "linear": nn.Linear(300, 200), "conv": nn.Conv2d(16, 64, 3, groups=2), "up": nn.ConvTranspose1d(40, 60, 5),
        "bn": nn.BatchNorm1d(30), "ln": nn.LayerNorm(50), "gn": nn.GroupNorm(2, 10), "embedding": nn.Embedding(300, 40),
        "lstm": nn.LSTM(30, 50, num_layers=2, bidirectional=True), "gru": nn.GRU(20, 60), "cell": nn.RNNCell(40, 80),
        "attn": nn.MultiheadAttention(64, 4, add_bias_kv=True), "cross": nn.MultiheadAttention(64, 4, kdim=32, vdim=48),
        "prelu": nn.PReLU(3), "block": nn.TransformerEncoderLayer(64, 4, 256),
    })


def more_layers():
    """Those that names alone don't tell."""
    return nn.ModuleDict({
        **layers(), "bilinear": nn.Bilinear(30, 20, 40), "bag": nn.EmbeddingBag(300, 40), "norm": nn.LayerNorm((5, 6)),
        "projected": nn.LSTM(30, 50, proj_size=20), "act": nn.PReLU(7), "table": nn.Embedding(200, 30)})


def by_names(module):
    return [Parameter(name, tuple(tensor.shape), as_dtype(tensor.dtype))
            for name, tensor in module.state_dict().items()]


@pytest.mark.parametrize(("make", "seen"), [(layers, by_names),
                                            (more_layers, lambda module: fanin.torch.parameters(module, buffers=True))])
def test_torch_rule_set_is_torchs_own(make, seen):
    """For every tensor the plan's mean and std are those that torch's modules start from.

    torch's values are a sample: its std may be off by 6 standard errors (the error of a uniform or normal sample's std
    is at most std/sqrt(2n)), on 80 tensors a false alarm in 10^7; the seed is fixed besides.
    """
    torch.manual_seed(0)
    module = make()
    state, parameters = module.state_dict(), seen(module)
    assert [parameter.name for parameter in parameters] == list(state)

    plans = {row.parameter.name: row.plan for row in Rules.read("torch").assign(parameters)}

    for name, tensor in state.items():
        plan, values = plans[name], tensor.double()
        error = plan.std / values.numel() ** 0.5
        assert abs(values.mean().item() - plan.mean) <= 6 * error + 1e-12, name
        if values.numel() > 1:
            rms = (values - plan.mean).square().mean().sqrt().item()
            assert abs(rms - plan.std) <= 6 * error / 2**0.5 + 1e-12, name
        if plan.sampler.__name__.startswith("uniform"):
            assert values.abs().max().item() <= plan.std * 3**0.5 * (1 + 1e-6), name
