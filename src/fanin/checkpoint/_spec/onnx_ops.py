"""ONNX operators: which of an operator's inputs are weights, and which of a weight's axes are in and out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeAlias

from ...rules import Layer

Node: TypeAlias = Any  # onnx.NodeProto, whose module may not be installed
Dims: TypeAlias = tuple[int, ...]
Facts: TypeAlias = dict[str, Any]  # fields of a Layer

_NORM = {1: "scale", 2: "bias"}
_GATED = {1: "weight", 2: "recurrence", 3: "bias"}
# Operator -> its inputs that hold a layer's parameters, and what each is there.
ROLES = {
    "Conv": {1: "weight", 2: "bias"}, "ConvTranspose": {1: "weight", 2: "bias"}, "DeformConv": {1: "weight", 3: "bias"},
    "Gemm": {0: "weight", 1: "weight", 2: "bias"}, "MatMul": {0: "weight", 1: "weight"}, "Gather": {0: "weight"},
    "Einsum": {0: "weight", 1: "weight"},
    "LSTM": _GATED | {7: "peephole"}, "GRU": _GATED, "RNN": _GATED,
    "BatchNormalization": {1: "scale", 2: "bias", 3: "mean", 4: "var"}, "InstanceNormalization": _NORM,
    "LayerNormalization": _NORM, "GroupNormalization": _NORM, "RMSNormalization": {1: "scale"}, "PRelu": {1: "slope"},
}
# Inputs that a graph's own constants are for: sizes, bounds, initial states. `Shape` looks at no value at all.
CONSTANTS = {
    "Resize": {1, 2, 3}, "Upsample": {1}, "Clip": {1, 2}, "Pad": {1, 2, 3}, "Dropout": {1, 2}, "Pow": {1},
    "OneHot": {1, 2}, "QuantizeLinear": {1, 2}, "DequantizeLinear": {1, 2}, "LSTM": {4, 5, 6}, "GRU": {4, 5},
    "RNN": {4, 5}, "Shape": {0}, "Size": {0}, "ConstantOfShape": {0}, "Range": {0, 1, 2},
    "Reshape": {1}, "Expand": {1}, "Tile": {1}, "Squeeze": {1}, "Unsqueeze": {1}, "Split": {1}, "Slice": {1, 2, 3, 4},
}
# Operators whose weights are integers: quantized ones.
QUANTIZED = {"ConvInteger", "MatMulInteger", "QLinearConv", "QLinearMatMul"}
LINEAR = {"Conv", "ConvTranspose", "Gemm", "MatMul", "Einsum"}  # what a bias may be added to by an Add
RECURRENT = {"LSTM": 4, "GRU": 3, "RNN": 1}  # how many gates stand below each other in a weight
_STANDARD = ("", "ai.onnx")


def role(node: Node, index: int) -> str | None:
    """What a parameter of the node its `index`-th input is: "weight", "bias", "scale", ...; None: not a known one."""
    return ROLES.get(node.op_type, {}).get(index) if node.domain in _STANDARD else None


def is_constant(node: Node, index: int) -> bool:
    """Whether the node's `index`-th input is one of CONSTANTS."""
    return node.domain in _STANDARD and index in CONSTANTS.get(node.op_type, ())


def types(node: Node, kind: str | None) -> tuple[str, ...]:
    """A layer's types: ("Conv.weight", "Conv"), so that rules can ask for either."""
    return (node.op_type,) if kind is None else (f"{node.op_type}.{kind}", node.op_type)


def weight_layer(node: Node, index: int, shape: Dims | None) -> Layer:
    """The layer of a parameter with this role and `shape` (None: not known), as its own node sees it."""
    kind = role(node, index)
    layer = Layer(types(node, kind))
    if shape is None and kind is not None and node.op_type in RECURRENT:
        return layer._replace(**_recurrent_part(node, kind))
    if shape is None or kind is None:
        return layer
    facts = _FACTS.get(node.op_type)
    return layer._replace(**facts(node, kind, index, shape)) if facts else layer


def attribute(node: Node, name: str, default: int) -> int:
    """The value of an integer attribute."""
    return next((each.i for each in node.attribute if each.name == name), default)


def integers(node: Node, name: str) -> list[int] | None:
    """The value of an attribute that is a list of integers, or None."""
    return next((list(each.ints) for each in node.attribute if each.name == name), None)


def permutation(node: Node, rank: int) -> list[int] | None:
    """The axes of a Transpose's input in the order of its output's; None if it has no permutation of so many."""
    order = integers(node, "perm") or list(range(rank))[::-1]
    return order if sorted(order) == list(range(rank)) else None


def _convolution(node: Node, kind: str, index: int, shape: Dims) -> Facts:
    if kind != "weight" or len(shape) < 2:
        return {}
    return {"layout": "oi*", "groups": max(1, attribute(node, "group", 1))}


def _transposed(node: Node, kind: str, index: int, shape: Dims) -> Facts:
    if kind != "weight" or len(shape) < 2:
        return {}
    return {"layout": "io*", "groups": max(1, attribute(node, "group", 1)), "transposed": True}


def _gemm(node: Node, kind: str, index: int, shape: Dims) -> Facts:
    if kind != "weight" or len(shape) != 2:
        return {}
    if index == 0:  # Y = A' B: the constant's rows are the outputs
        return {"layout": "io" if attribute(node, "transA", 0) else "oi"}
    return {"layout": "oi" if attribute(node, "transB", 0) else "io"}


def _matmul(node: Node, kind: str, index: int, shape: Dims) -> Facts:
    if len(shape) < 2:
        return _fans(shape[0], 1) if shape else {}
    return {"layout": "b" * (len(shape) - 2) + ("oi" if index == 0 else "io")}


def _einsum(node: Node, kind: str, index: int, shape: Dims) -> Facts:
    """"abc,cde->abde": axes that are summed over are in, those of the output out, those that all share a batch."""
    equation = next((each.s.decode("utf-8", "replace") for each in node.attribute if each.name == "equation"), "")
    left, arrow, right = equation.replace(" ", "").partition("->")
    terms = left.split(",")
    if not arrow or index >= len(terms) or not terms[index].isalpha() or len(terms[index]) != len(shape):
        return {}
    others = set("".join(terms[:index] + terms[index + 1:]))
    return {"layout": "".join("i" if letter not in right else "b" if letter in others else "o"
                              for letter in terms[index])}


def _gather(node: Node, kind: str, index: int, shape: Dims) -> Facts:
    """An embedding: as torch counts it, and as a linear layer of the same weight would."""
    return {"layout": "oi"} if len(shape) == 2 and attribute(node, "axis", 0) in (0, -2) else {}


def _recurrent(node: Node, kind: str, index: int, shape: Dims) -> Facts:
    """W (directions, gates * hidden, in), R (..., gates * hidden, hidden), B (..., 2 * gates * hidden): one gate's."""
    gates = RECURRENT[node.op_type]
    if kind in ("weight", "recurrence") and len(shape) == 3:
        return _fans(shape[2], shape[1] // gates)
    if kind == "bias" and len(shape) == 2:
        hidden = shape[1] // (2 * gates)
        return _fans(hidden, hidden)
    return {}


def _recurrent_part(node: Node, kind: str) -> Facts:
    """Of a weight that is put together from several: what the node itself says, and for fan_in the part's own shape."""
    hidden = attribute(node, "hidden_size", 0)
    if hidden <= 0 or kind not in ("weight", "recurrence", "bias"):
        return {}
    return {"fan_out": hidden} if kind == "weight" else {"fan_in": hidden, "fan_out": hidden}


def _fans(fan_in: int, fan_out: int) -> Facts:
    return {"fan_in": fan_in, "fan_out": fan_out} if fan_in > 0 and fan_out > 0 else {}


# Operator -> what it makes of a weight's axes: of (node, role, which input, shape).
_FACTS: dict[str, Callable[[Node, str, int, Dims], Facts]] = {
    "Conv": _convolution, "DeformConv": _convolution, "ConvTranspose": _transposed, "Gemm": _gemm, "MatMul": _matmul,
    "Einsum": _einsum, "Gather": _gather, "LSTM": _recurrent, "GRU": _recurrent, "RNN": _recurrent,
}
