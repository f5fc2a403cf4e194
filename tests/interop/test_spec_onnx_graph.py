"""ONNX graphs made by hand: every way in which a weight reaches a node, what is no weight, and what is refused."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from fanin import FaninError
from fanin.checkpoint import read_spec
from fanin.checkpoint._format import code_of
from fanin.rules import Layer

DATA = Path(onnx.__file__).parent / "backend" / "test" / "data"


def tensor(name, shape, kind=TensorProto.FLOAT):
    """An initializer without data: only its name, shape and type are read."""
    return TensorProto(name=name, dims=shape, data_type=kind)


def ints(name, *values):
    return numpy_helper.from_array(np.array(values, np.int64), name)


def save(path, nodes, constants, functions=(), opset=20, **graph):
    made = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", TensorProto.FLOAT, None)],
                             [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], constants, **graph)
    imports = [helper.make_opsetid("", opset), helper.make_opsetid("local", 1)]
    onnx.save(helper.make_model(made, functions=functions, opset_imports=imports), path)
    return path


def node(kind, inputs, outputs="y", **attributes):
    return helper.make_node(kind, inputs.split(), outputs.split(), **attributes)


def layers(path):
    return {info.name: info.layer for info in read_spec(path).tensors}


WEIGHT = {
    # name: nodes, shape of w, what is known of it
    "conv": ([node("Conv", "x w", group=2)], (8, 3, 5, 5), Layer(layout="oi*", groups=2)),
    "transposed": ([node("ConvTranspose", "x w", group=3)], (6, 4, 3), Layer(layout="io*", groups=3, transposed=True)),
    "gemm": ([node("Gemm", "x w")], (3, 4), Layer(layout="io")),
    "gemm.transB": ([node("Gemm", "x w", transB=1)], (3, 4), Layer(layout="oi")),
    "gemm.first": ([node("Gemm", "w x")], (3, 4), Layer(layout="oi")),
    "gemm.first.transA": ([node("Gemm", "w x", transA=1)], (3, 4), Layer(layout="io")),
    "matmul": ([node("MatMul", "x w")], (3, 4), Layer(layout="io")),
    "matmul.first": ([node("MatMul", "w x")], (3, 4), Layer(layout="oi")),
    "matmul.batch": ([node("MatMul", "x w")], (7, 2, 3, 4), Layer(layout="bbio")),
    "matmul.vector": ([node("MatMul", "x w")], (5,), Layer(fan_in=5, fan_out=1)),
    "einsum": ([node("Einsum", "x w", equation="abc, cde -> abde")], (7, 2, 5), Layer(layout="ioo")),
    "einsum.first": ([node("Einsum", "w x", equation="bdc,bac->bad")], (3, 5, 7), Layer(layout="boi")),
    "einsum.implied": ([node("Einsum", "x w", equation="ab,bc")], (7, 5), Layer()),
    "einsum.more": ([node("Einsum", "x w", equation="...b,b...->...")], (7, 5), Layer()),
    "gather": ([node("Gather", "w x")], (9, 4), Layer(layout="oi")),
    "gather.columns": ([node("Gather", "w x", axis=1)], (9, 4), Layer()),
    "gather.vector": ([node("Gather", "w x")], (9,), Layer()),
    "slope": ([node("PRelu", "x w")], (4,), Layer()),
    # passed on
    "identity": ([node("Identity", "w", "v"), node("MatMul", "x v")], (3, 4), Layer(layout="io")),
    "cast": ([node("Cast", "w", "v", to=TensorProto.FLOAT16), node("Gemm", "x v")], (3, 4), Layer(layout="io")),
    "transpose": ([node("Transpose", "w", "v"), node("MatMul", "x v")], (3, 4), Layer(layout="oi")),
    "transpose.twice": ([node("Transpose", "w", "v"), node("Transpose", "v", "u"), node("MatMul", "x u")], (3, 4),
                        Layer(layout="io")),
    "transpose.kernel": ([node("Transpose", "w", "v", perm=[3, 2, 0, 1]), node("Conv", "x v")], (5, 5, 3, 8),
                         Layer(layout="*io")),
    "transpose.apart": ([node("Transpose", "w", "v", perm=[1, 2, 0, 3]), node("Conv", "x v")], (5, 8, 3, 6),
                        Layer(fan_in=3 * 5 * 6, fan_out=8 * 5 * 6)),
    "transpose.wrong": ([node("Transpose", "w", "v", perm=[0, 0]), node("MatMul", "x v")], (3, 4), Layer()),
    "unsqueeze": ([node("Unsqueeze", "w axes", "v"), node("Conv", "x v")], (6, 5), Layer(fan_in=5, fan_out=6)),
    "squeeze": ([node("Squeeze", "w", "v"), node("MatMul", "x v")], (1, 3, 1, 4), Layer(fan_in=3, fan_out=4)),
    "flatten": ([node("Flatten", "w", "v", axis=2), node("Gemm", "x v")], (2, 3, 4), Layer(fan_in=6, fan_out=4)),
    "reshape": ([node("Reshape", "w shape", "v"), node("Gemm", "x v", transB=1)], (1, 1, 10, 4),
                Layer(fan_in=4, fan_out=10)),
    "reshape.computed": ([node("Shape", "x", "s"), node("Reshape", "w s", "v"), node("Gemm", "x v")], (40,), Layer()),
    "dequantized": ([node("DequantizeLinear", "w scale", "v"), node("MatMul", "x v")], (3, 4), Layer(layout="io")),
    "expand": ([node("Shape", "x", "s"), node("Expand", "w s", "v"), node("MatMul", "x v")], (3, 4), Layer()),
    # gates
    "lstm.parts": ([node("Slice", "w axes axes", "a"), node("Slice", "w axes axes", "b"), node("Concat", "b a", "c"),
                    node("Unsqueeze", "c axes", "d"), node("LSTM", "x d r", hidden_size=5)], (20, 3),
                   Layer(fan_out=5)),
    "gru.parts": ([node("Split", "w", "a b"), node("Concat", "b a", "c"), node("GRU", "x v c", hidden_size=5)],
                  (2, 15, 5), Layer(fan_in=5, fan_out=5)),
    "lstm": ([node("LSTM", "x w r", hidden_size=5)], (2, 20, 3), Layer(fan_in=3, fan_out=5)),
    "lstm.recurrence": ([node("LSTM", "x v w", hidden_size=5)], (2, 20, 5), Layer(fan_in=5, fan_out=5)),
    "lstm.bias": ([node("LSTM", "x v r w", hidden_size=5)], (2, 40), Layer(fan_in=5, fan_out=5)),
    "gru": ([node("GRU", "x w r", hidden_size=5)], (1, 15, 3), Layer(fan_in=3, fan_out=5)),
    "rnn": ([node("RNN", "x w r", hidden_size=5)], (1, 5, 3), Layer(fan_in=3, fan_out=5)),
    # used twice: what all uses agree on
    "tied": ([node("Gather", "w x", "e"), node("Transpose", "w", "v"), node("MatMul", "e v")], (9, 4),
             Layer(layout="oi")),
    "disagreed": ([node("MatMul", "x w", "e"), node("MatMul", "w e")], (4, 4), Layer()),
}
SLOTS = {"lstm.recurrence": "LSTM.recurrence", "lstm.bias": "LSTM.bias", "gru.parts": "GRU.recurrence",
         "slope": "PRelu.slope"}


@pytest.mark.parametrize("case", WEIGHT)
def test_a_weight_on_its_way_to_a_node(tmp_path, case):
    """Its fans are those at the node where it ends, whatever passes it on; where that can't be told, none are."""
    nodes, shape, expected = WEIGHT[case]
    kind = TensorProto.FLOAT8E4M3FN if case == "dequantized" else TensorProto.FLOAT
    path = save(tmp_path / "m.onnx", nodes, [tensor("w", shape, kind), ints("axes", 2), ints("shape", -1, 4)])

    layer = layers(path)["w"]

    assert layer._replace(types=()) == expected
    last = nodes[-1].op_type
    kinds = ("Gather.weight", "Gather", "MatMul.weight", "MatMul") if case == "tied" else \
        (SLOTS.get(case, f"{last}.weight"), last)
    assert layer.types == kinds


def test_a_bias_may_be_added_by_a_node_of_its_own(tmp_path):
    """A Linear on three axes is exported as MatMul and Add; an Add elsewhere is only an Add."""
    nodes = [node("MatMul", "x w", "a"), node("Add", "b a", "c"), node("Add", "c p", "d"), node("Add", "d q"),
             node("Mul", "y g", "z")]
    constants = [tensor("w", (3, 4)), tensor("b", (4,)), tensor("p", (7, 4)), tensor("q", (4,)), tensor("g", (4,))]

    assert layers(save(tmp_path / "m.onnx", nodes, constants)) == {
        "w": Layer(("MatMul.weight", "MatMul"), "io"), "b": Layer(("MatMul.bias", "MatMul"), fan_in=3, fan_out=4),
        "p": Layer(("Add",)), "q": Layer(("Add",)), "g": Layer(("Mul",))}


def test_subgraphs_are_read_with_the_names_around_them(tmp_path):
    """A branch may hold weights, and use those of the graph around it; a name may mean another value in each branch."""
    def branch(kind, *constants):
        nodes = [node("Transpose", "w", "v"), node(kind, "x v", "u"), node("MatMul", "u own." + kind, "out." + kind)]
        outputs = [helper.make_tensor_value_info("out." + kind, TensorProto.FLOAT, None)]
        return helper.make_graph(nodes, kind, [], outputs, [tensor("own." + kind, (2, 3)), *constants])

    def model(*constants):
        choice = helper.make_node("If", ["flag"], ["y"], then_branch=branch("Gemm", *constants),
                                  else_branch=branch("MatMul", *constants))
        return save(tmp_path / "m.onnx", [choice], [tensor("w", (3, 4)), tensor("flag", (), TensorProto.BOOL)])

    assert layers(model()) == {  # the branches in the file's order, which is else, then
        "w": Layer(("MatMul.weight", "MatMul", "Gemm.weight", "Gemm"), "oi"),
        "own.Gemm": Layer(("MatMul.weight", "MatMul"), "io"), "own.MatMul": Layer(("MatMul.weight", "MatMul"), "io")}
    assert len(layers(model(ints("shape", 1)))) == 3  # what is left out may have one name twice


def test_functions_are_looked_into(tmp_path):
    """A model's own functions are layers made of operators; their weights come in as arguments."""
    linear = helper.make_function("local", "Linear", ["a", "weight", "bias"], ["b"], [
        node("Transpose", "weight", "t"), node("MatMul", "a t", "m"), node("Add", "m bias", "b")],
        [helper.make_opsetid("", 20)])
    path = save(tmp_path / "m.onnx", [helper.make_node("Linear", ["x", "w", "b"], ["y"], domain="local")],
                [tensor("w", (6, 4)), tensor("b", (6,))], [linear])

    assert layers(path) == {"w": Layer(("MatMul.weight", "MatMul"), "oi"),
                            "b": Layer(("MatMul.bias", "MatMul"), fan_in=4, fan_out=6)}


def test_operators_of_other_domains_have_a_type_only(tmp_path):
    """What they do with their inputs is not known."""
    path = save(tmp_path / "m.onnx", [helper.make_node("Conv", ["x", "w"], ["y"], domain="local")],
                [tensor("w", (6, 4, 3))])

    assert layers(path) == {"w": Layer(("Conv",))}


def test_what_is_no_weight_is_left_out_and_said(tmp_path):
    """Integers, constants without axes, bounds and sizes of operators, what no node uses."""
    nodes = [node("Conv", "x w", "a"), node("Reshape", "a shape", "b"), node("Mul", "b half", "c"),
             node("Resize", "c roi scales", "d"), node("Clip", "d low high", "e"), node("Gather", "table x", "f"),
             node("LSTM", "e lw lr _ _ h0 c0", "y")]
    nodes[-1].input[3] = nodes[-1].input[4] = ""
    constants = [ints("shape", 1, -1), tensor("w", (2, 3, 3)), tensor("half", ()), tensor("roi", (8,)),
                 tensor("scales", (4,)), tensor("low", (1,)), tensor("high", ()), tensor("unused", (3, 3)),
                 tensor("table", (5,), TensorProto.INT64), tensor("lw", (1, 4, 2)), tensor("lr", (1, 4, 1)),
                 tensor("h0", (1, 1, 1)), tensor("c0", (1, 1, 1))]

    spec = read_spec(save(tmp_path / "m.onnx", nodes, constants))

    assert [info.name for info in spec.tensors] == ["w", "lw", "lr"]
    assert spec.notes == ("left out 10 constants of the graph that are no floating-point weights: shape, half, roi, "
                          "scales, low and 5 more",)


def test_constants_made_by_nodes(tmp_path):
    """A Constant is a weight like an initializer, with more than one element; a ConstantOfShape in the place of one."""
    nodes = [
        helper.make_node("Constant", [], ["w"], value=tensor("", (4, 5))), node("MatMul", "x w", "a"),
        helper.make_node("Constant", [], ["mean"], value=tensor("", (5,))), node("Sub", "a mean", "m"),
        helper.make_node("Constant", [], ["eps"], value=tensor("", (1,))), node("Div", "m eps", "b"),
        helper.make_node("Constant", [], ["s"], value=ints("", 5)), node("ConstantOfShape", "s", "zeros"),
        node("Add", "zeros zeros", "c"),
        node("ConstantOfShape", "s", "gamma"), node("ConstantOfShape", "s", "beta"),
        node("LayerNormalization", "b gamma beta", "d"),
        node("ConstantOfShape", "shape", "scale", value=numpy_helper.from_array(np.ones(1, np.float16))),
        node("Mul", "d scale", "y"),
    ]

    spec = read_spec(save(tmp_path / "m.onnx", nodes, [ints("shape", 1, 5)]))

    assert [(info.name, info.shape, code_of(info.dtype), info.layer.types[0]) for info in spec.tensors] == [
        ("w", (4, 5), "F32", "MatMul.weight"), ("mean", (5,), "F32", "Sub"),
        ("gamma", (5,), "F32", "LayerNormalization.scale"), ("beta", (5,), "F32", "LayerNormalization.bias"),
        ("scale", (1, 5), "F16", "Mul")]


@pytest.mark.parametrize(("kind", "code"), [
    ("FLOAT", "F32"), ("DOUBLE", "F64"), ("FLOAT16", "F16"), ("BFLOAT16", "BF16"), ("COMPLEX64", "C64"),
    ("FLOAT8E4M3FN", "F8_E4M3"), ("FLOAT8E5M2", "F8_E5M2"), ("FLOAT8E4M3FNUZ", "F8_E4M3FNUZ"),
])
def test_types_have_safetensors_codes(tmp_path, kind, code):
    """Narrow types too, which --dtype then replaces."""
    path = save(tmp_path / "m.onnx", [node("MatMul", "x w")], [tensor("w", (4, 4), TensorProto.DataType.Value(kind))])

    assert [code_of(info.dtype) for info in read_spec(path).tensors] == [code]


def test_external_data_is_not_needed(tmp_path):
    """A model whose weights are in files of their own is read without them."""
    model = onnx.load(save(tmp_path / "m.onnx", [node("MatMul", "x w")], [ints("shape", 2)]))
    model.graph.initializer.append(numpy_helper.from_array(np.ones((300, 40), np.float32), "w"))
    onnx.save(model, tmp_path / "m.onnx", save_as_external_data=True, location="data.bin")
    (tmp_path / "data.bin").unlink()

    assert [(info.name, info.shape) for info in read_spec(tmp_path / "m.onnx").tensors] == [("w", (300, 40))]


BAD = {
    "int8": ([node("DequantizeLinear", "w s", "v"), node("Conv", "x v")],
             [tensor("w", (4, 4, 1), TensorProto.INT8), tensor("s", ())], ["'w'", "Conv", "INT8", "quantization"]),
    "uint8": ([node("QLinearMatMul", "x s z w s z s z")], [tensor("w", (4, 4), TensorProto.UINT8)],
              ["'w'", "QLinearMatMul", "UINT8"]),
    "int4": ([node("DequantizeLinear", "w s", "v"), node("MatMul", "x v")], [tensor("w", (4, 4), TensorProto.INT4)],
             ["'w'", "INT4"]),
    "complex128": ([node("MatMul", "x w")], [tensor("w", (4, 4), TensorProto.COMPLEX128)], ["'w'", "COMPLEX128"]),
    "negative": ([node("MatMul", "x w")], [tensor("w", (4, -4))], ["'w'", "negative"]),
    "huge": ([node("MatMul", "x w")], [tensor("w", (2**40, 2**40))], ["'w'", "2**61"]),
    "groups": ([node("Conv", "x w", group=3)], [tensor("w", (4, 4, 1))], ["'w'", "groups=3"]),
    "twice": ([node("MatMul", "x w")], [tensor("w", (4, 4)), tensor("w", (4, 4))], ["unique", "'w'"]),
    "reserved": ([node("MatMul", "x __metadata__")], [tensor("__metadata__", (4, 4))], ["__metadata__", "rename"]),
    "no type": ([node("MatMul", "x w")], [tensor("w", (4, 4), 99)], ["'w'", "99"]),
    "none": ([node("Relu", "x")], [ints("shape", 1)], ["floating-point weights", "none"]),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_drawn_is_refused_in_one_line(tmp_path, case):
    """The message names the file, the weight and what to do."""
    nodes, constants, parts = BAD[case]
    path = save(tmp_path / "m.onnx", nodes, constants)

    with pytest.raises(FaninError) as caught:
        read_spec(path)

    message = str(caught.value)
    assert message.startswith(f"{path}: ") and "\n" not in message
    for part in parts:
        assert part in message, message


def test_nodes_that_lack_inputs_or_outputs_do_no_harm(tmp_path):
    """A graph that no runtime takes is read as far as its weights go."""
    kinds = ["Constant", "ConstantOfShape", "Transpose", "Reshape", "Unsqueeze", "Squeeze", "Add", "MatMul", "LSTM"]
    nodes = [helper.make_node(kind, inputs, outputs) for kind in kinds for inputs in ([], ["w"], ["", "w"])
             for outputs in ([], [f"{kind}.{len(inputs)}"])]
    cycle = [node("Identity", "p", "q"), node("Identity", "q", "p"), node("Gemm", "x w p")]

    path = save(tmp_path / "m.onnx", nodes + cycle, [tensor("w", (3, 4))])

    assert [(info.name, info.shape) for info in read_spec(path).tensors] == [("w", (3, 4))]


def test_sparse_weights_are_refused(tmp_path):
    """They have no place in a safetensors file."""
    values, indices = tensor("w", (2,)), ints("i", 0, 3)
    sparse = helper.make_sparse_tensor(values, indices, [4, 4])
    path = save(tmp_path / "m.onnx", [node("MatMul", "x w")], [], sparse_initializer=[sparse])

    with pytest.raises(FaninError, match=r"sparse.*w.*dense"):
        read_spec(path)


@pytest.mark.parametrize("change", [lambda data: b"", lambda data: data[:-7], lambda data: b"\xff" * 40,
                                    lambda data: b'{"w": {"shape": [1], "dtype": "F32"}}'])
def test_a_damaged_file_is_refused_in_one_line(tmp_path, change):
    """Empty, cut off, and something else under the name."""
    path = tmp_path / "m.onnx"
    path.write_bytes(change((DATA / "light" / "light_squeezenet.onnx").read_bytes()))

    with pytest.raises(FaninError) as caught:
        read_spec(path)

    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)
