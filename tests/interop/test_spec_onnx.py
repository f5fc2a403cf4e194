"""ONNX files as specs: the real models in onnx's wheel, and one that torch exports, written by `fanin init`."""

import json
import math
import warnings
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator
from safetensors.numpy import load_file
from torch import nn

from fanin import Rules
from fanin.checkpoint import read_spec
from fanin.cli import main
from fanin.torch import parameters

DATA = Path(onnx.__file__).parent / "backend" / "test" / "data"
LIGHT = {  # what the original models hold: parameters, and the running means and variances of batch norms
    "bvlc_alexnet": 60_965_224, "densenet121": 7_978_856 + 4 * 41_824, "inception_v1": 6_998_552,
    "resnet50": 25_557_032 + 2 * 26_560, "squeezenet": 1_235_496, "vgg19": 143_667_240,
}


def connections(model):
    """{weight: (fan_in, fan_out)} by counting: a weight's elements over the outputs, and over the inputs, of its node.

    Their numbers come from the shapes of the activations, which onnx infers; fanin looks at the weight's axes.
    """
    graph = onnx.shape_inference.infer_shapes(model, strict_mode=True).graph
    shapes = {each.name: [dim.dim_value for dim in each.type.tensor_type.shape.dim]
              for each in [*graph.value_info, *graph.input, *graph.output]}
    shapes |= {each.name: list(each.dims) for each in graph.initializer}
    counted = {}
    for node in graph.node:
        axis = {"Conv": 1, "ConvTranspose": 1, "Gemm": -1, "MatMul": -1}.get(node.op_type)
        if axis is not None:
            weight, inputs, outputs = shapes[node.input[1]], shapes[node.input[0]][axis], shapes[node.output[0]][axis]
            counted[node.input[1]] = (np.prod(weight) / outputs, np.prod(weight) / inputs)
    return counted


def fans(info):
    return tuple(info.fans())


@pytest.mark.parametrize("name", LIGHT)
def test_the_light_models_have_their_originals_weights(name):
    """All weights of a real model, each with exactly its connections as fans, a bias with its weight's."""
    path = DATA / "light" / f"light_{name}.onnx"
    model = onnx.load(path)

    spec = read_spec(path)

    assert sum(math.prod(info.shape) for info in spec.tensors) == LIGHT[name]
    assert all(info.dtype == np.float32 and info.layer is not None for info in spec.tensors)
    found, counted, biases = {info.name: info for info in spec.tensors}, connections(model), 0
    assert len(counted) > 7
    for node in model.graph.node:
        if node.op_type in ("Conv", "Gemm"):
            weight = node.input[1] if node.input[1] in found else _made_from(model, node.input[1])
            assert fans(found[weight]) == counted[node.input[1]], weight
            assert found[weight].layer.types == (f"{node.op_type}.weight", node.op_type)
            if len(node.input) > 2:
                assert fans(found[node.input[2]]) == counted[node.input[1]]
                biases += 1
        elif node.op_type == "BatchNormalization":
            roles = [found[name].layer.types[0].partition(".")[2] for name in node.input[1:]]
            assert roles == ["scale", "bias", "mean", "var"]
    assert biases > 0
    assert len(spec.notes) == 1 and spec.notes[0].startswith("left out ")


@pytest.mark.parametrize("name", sorted(path.stem.removeprefix("light_") for path in (DATA / "light").glob("*.onnx")))
def test_rules_need_no_names(name):
    """Types tell every weight of every light model, so the built-in rules serve whatever its exporter called them."""
    rows = Rules.read("onnx").assign(read_spec(DATA / "light" / f"light_{name}.onnx").tensors)

    stds = {row.parameter.name: (row.plan.std, row.parameter.fans()[0]) for row in rows if len(row.parameter.shape) > 1}
    assert len(stds) >= 8
    for std, fan_in in stds.values():
        assert std == pytest.approx((2 / fan_in) ** 0.5)


def _made_from(model, name):
    return next(node.input[0] for node in model.graph.node if name in node.output)


CONVERTED = sorted(path.name for path in (DATA / "pytorch-converted").iterdir()
                   if path.name.startswith(("test_Conv", "test_Linear", "test_Embedding", "test_PReLU", "test_Batch")))


@pytest.mark.parametrize("name", CONVERTED)
def test_models_that_torch_converted(name):
    """Grouped, depthwise, transposed convolutions; Linear through Gemm, and through Transpose and MatMul; Embedding."""
    path = DATA / "pytorch-converted" / name / "model.onnx"
    model = onnx.load(path)

    spec = read_spec(path)

    assert [(info.name, list(info.shape)) for info in spec.tensors] == [
        (each.name, list(each.dims)) for each in model.graph.initializer]
    assert spec.notes == ()
    node = model.graph.node[-1]
    types = {info.layer.types for info in spec.tensors}
    assert {kind for _, kind in types} == {node.op_type}
    if name.startswith(("test_Conv", "test_Linear")):
        expected = set(connections(model).values())
        assert {fans(info) for info in spec.tensors} == expected and len(expected) == 1
    if name.startswith("test_Embedding"):
        assert fans(spec.tensors[0]) == (3, 4)  # as torch counts those of a (4, 3) table


# -- what torch exports -------------------------------------------------------------------------------------------


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(20, 16)
        self.conv = nn.Conv1d(16, 24, 3, groups=4)
        self.up = nn.ConvTranspose1d(24, 12, 4, groups=2)
        self.wide = nn.Linear(12, 30)
        self.plain = nn.Linear(30, 10, bias=False)
        self.norm = nn.LayerNorm(10)
        self.lstm = nn.LSTM(10, 7, bidirectional=True, batch_first=True)
        self.gru = nn.GRU(14, 5, batch_first=True)
        self.head = nn.Linear(5, 20)

    def forward(self, ids):
        x = self.up(self.conv(self.embed(ids).transpose(1, 2))).transpose(1, 2)
        x, _ = self.lstm(self.norm(self.plain(self.wide(x))))
        return self.head(self.gru(x)[0][:, -1])


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """The file that torch exports, with folded constants or without, and the module."""
    folder, module = tmp_path_factory.mktemp("onnx"), Net().eval()
    for folded in (False, True):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter that needs no other package is deprecated
            torch.onnx.export(module, (torch.zeros(2, 11, dtype=torch.long),), folder / f"{folded}.onnx", dynamo=False,
                              do_constant_folding=folded)
    return folder, module


def test_exported_weights_have_the_modules_fans(exported):
    """What a node says of a weight is what its torch layer says, so both are drawn alike."""
    folder, module = exported
    known = {each.name: each for each in parameters(module)}

    found = {info.name: info for info in read_spec(folder / "False.onnx").tensors}

    assert set(found) == set(known)
    checked = [name for name in found if "weight" in name and not name.startswith("norm")]
    assert len(checked) == 6 + 4 + 2
    for name in checked:
        assert found[name].shape == known[name].shape
        assert fans(found[name]) == tuple(known[name].fans()), name


def test_folded_weights_keep_their_fans(exported):
    """Where the exporter has transposed a weight or stacked directions, in and out are found in the new axes."""
    folder, _ = exported

    found = {info.layer.types[0]: info for info in read_spec(folder / "True.onnx").tensors
             if info.name.startswith("onnx::")}

    facts = {kind: (info.shape, fans(info)) for kind, info in found.items()}
    assert facts == {
        "MatMul.weight": ((30, 10), (30, 10)),
        "LSTM.weight": ((2, 28, 10), (10, 7)), "LSTM.recurrence": ((2, 28, 7), (7, 7)), "LSTM.bias": ((2, 56), (7, 7)),
        "GRU.weight": ((1, 15, 14), (14, 5)), "GRU.recurrence": ((1, 15, 5), (5, 5)), "GRU.bias": ((1, 30), (5, 5)),
    }


def test_init_writes_a_graphs_weights_and_they_go_back_into_it(tmp_path):
    """`fanin init model.onnx` writes them under the graph's names; with them the graph computes what torch does."""
    source = DATA / "pytorch-converted" / "test_Conv2d_groups" / "model.onnx"
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps({"rule": [{"match": "*", "layer": "*.bias", "init": "torch_default"},
                                          {"match": "*", "layer": "Conv", "init": "he_normal"}]}))

    assert main(["init", str(source), "--rules", str(rules), "-o", str(tmp_path / "new.safetensors")]) == 0

    weights, model = load_file(tmp_path / "new.safetensors"), onnx.load(source)
    for each in model.graph.initializer:
        each.CopyFrom(numpy_helper.from_array(weights[each.name], each.name))
    onnx.checker.check_model(model, full_check=True)
    batch = np.random.default_rng(0).standard_normal((2, 4, 6, 5), np.float32)
    computed = ReferenceEvaluator(model).run(None, {model.graph.input[0].name: batch})[0]
    expected = nn.functional.conv2d(torch.tensor(batch), torch.tensor(weights["1"]), torch.tensor(weights["2"]),
                                    groups=2)
    np.testing.assert_allclose(computed, expected.numpy(), atol=1e-5)
    assert weights["1"].std() == pytest.approx((2 / 12) ** 0.5, rel=6 / 144**0.5)  # 12 = (4 / 2 groups) * 3 * 2
    assert np.abs(weights["2"]).max() <= 12**-0.5
