"""ONNX files: the weights of a graph, and the layers that its nodes make of them.

A weight is a floating-point tensor that the graph holds and computes with: an initializer, a Constant (subgraphs often
have no others), or a ConstantOfShape in an initializer's place (as in the onnx package's light models). What is left
out belongs to the graph: shapes, indices and other integers, constants without axes, bounds, sizes and initial states
of operators, what no node uses.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, TypeAlias

from ..._checks import shape as check_shape
from ..._errors import FaninError, FaninValueError, agreeing, counted, listed, missing_dependency
from ..._plans.fans import roles
from ...rules import Layer, Parameter
from .._format import dtype_of
from .onnx_graph import Graphs, Scope, Use, View
from .onnx_ops import LINEAR, QUANTIZED, RECURRENT, ROLES, Dims, Node, is_constant, role, types, weight_layer
from .spec import Spec, checked

# onnx's names of element types -> safetensors' codes; the other floating-point type, COMPLEX128, has none.
_CODES = {"FLOAT": "F32", "DOUBLE": "F64", "FLOAT16": "F16", "BFLOAT16": "BF16", "COMPLEX64": "C64",
          "FLOAT8E4M3FN": "F8_E4M3", "FLOAT8E4M3FNUZ": "F8_E4M3FNUZ", "FLOAT8E5M2": "F8_E5M2",
          "FLOAT8E5M2FNUZ": "F8_E5M2FNUZ", "FLOAT8E8M0": "F8_E8M0", "FLOAT4E2M1": "F4"}
_MAX_BYTES = 2**31 - 1  # protobuf's own limit

Shapes: TypeAlias = dict[tuple[int, str], Dims]  # of the constants, by the id of their scope and their name


class Constant(NamedTuple):
    """A value that the graph holds itself."""

    scope: Scope
    name: str
    shape: Dims
    dtype: str  # onnx's name
    place: str  # "initializer", or what stands for one; "node": a Constant; "filled": a ConstantOfShape


def read_onnx(path: str) -> Spec:
    """The weights of an ONNX file. Weights in files of their own (external data) are not looked at."""
    try:
        import onnx
        import onnx.inliner
    except ImportError:
        raise missing_dependency("reading ONNX files", "onnx", "onnx") from None
    if os.path.getsize(path) > _MAX_BYTES:
        raise FaninValueError(f"{path}: an ONNX file must have at most 2**31 - 1 bytes, since it is a protobuf (it has "
                              f"{os.path.getsize(path)}): save the model with external data")
    try:
        model = onnx.load(path, format="protobuf", load_external_data=False)
        if model.functions:
            model = onnx.inliner.inline_local_functions(_without_weights(model))
    except (OSError, MemoryError):
        raise
    except Exception as error:  # protobuf's, and the C++ library's
        raise FaninValueError(f"{path}: must be a valid ONNX file ({error or type(error).__name__})") from None
    try:
        return _read_graph(model.graph, onnx)
    except FaninError as error:
        raise type(error)(f"{path}: {error}") from None


def _without_weights(model: Any) -> Any:
    """The model without the bytes of its large initializers, which inlining functions would copy several times."""
    for each in model.graph.initializer:
        if len(each.raw_data) > 1024:
            each.ClearField("raw_data")
    return model


def _read_graph(graph: Any, onnx: Any) -> Spec:
    graphs = Graphs(graph, onnx.numpy_helper.to_array)
    constants = [constant for scope in graphs.scopes for constant in _constants(scope, graphs, onnx)]
    shapes = {(id(each.scope), each.name): each.shape for each in constants}
    tensors: list[Parameter] = []
    left: list[str] = []
    for each in constants:
        uses = [use for use in graphs.uses(each.scope, each.name, each.shape) if not is_constant(use.node, use.slot)]
        if _is_weight(each, uses):
            try:
                layer = _combine([_layer(graphs, shapes, use) for use in uses])
                if layer.layout is not None:
                    layer.fans(each.shape)  # which refuses groups that don't divide the axes
            except FaninError as error:
                raise type(error)(f"{each.name!r}: {error}") from None
            tensors.append(Parameter(each.name, each.shape, dtype_of(_CODES[each.dtype]), layer))
        elif each.place == "initializer":
            left.append(each.name)
    if not tensors:
        raise FaninValueError("must have floating-point weights in its graph (it has none)")
    what = agreeing(len(left), "is no floating-point weight", "are no floating-point weights")
    note = f"left out {counted(len(left), 'constant')} of the graph that {what}: {listed(left, at_most=5)}"
    return checked(tensors, {}, [note] if left else [])


# -- the constants ------------------------------------------------------------------------------------------------


def _constants(scope: Scope, graphs: Graphs, onnx: Any) -> Iterator[Constant]:
    """The constants that one graph defines itself, initializers first, each kind in the file's order."""
    sparse = [each.values.name for each in scope.graph.sparse_initializer]
    if sparse:
        raise FaninValueError(f"sparse initializers are not supported (got {listed(sparse, at_most=5)}): make them "
                              "dense first")
    for each in scope.graph.initializer:
        yield _constant(scope, each.name, each.dims, each.data_type, "initializer", onnx)
    for node in scope.graph.node:
        values = [each.t for each in node.attribute if each.name == "value"]
        if not node.output:
            continue
        if node.op_type == "Constant" and values:
            yield _constant(scope, node.output[0], values[0].dims, values[0].data_type, "node", onnx)
        elif node.op_type == "ConstantOfShape" and node.input:
            shape = graphs.integers(scope, node.input[0])
            if shape is not None:
                dtype = values[0].data_type if values else onnx.TensorProto.FLOAT
                place = "initializer" if graphs.constant(scope, node.input[0])[1] else "filled"
                yield _constant(scope, node.output[0], shape, dtype, place, onnx)


def _constant(scope: Scope, name: str, dims: Iterable[int], dtype: int, place: str, onnx: Any) -> Constant:
    try:
        shape = check_shape([int(dim) for dim in dims])
    except FaninError as error:
        raise type(error)(f"{name!r}: {error}") from None
    kinds = onnx.TensorProto.DataType
    if dtype not in kinds.values():
        raise FaninValueError(f"{name!r} must have a type that the installed onnx knows (got number {dtype}): upgrade "
                              "onnx")
    return Constant(scope, name, shape, kinds.Name(dtype), place)


def _is_weight(constant: Constant, uses: Sequence[Use]) -> bool:
    if constant.dtype not in _CODES:
        _check_quantized(constant, uses)
        return False
    single = not constant.shape or constant.place == "node" and math.prod(constant.shape) == 1
    if single or constant.place == "filled":
        return any(role(use.node, use.slot) for use in uses)
    return bool(uses)


def _check_quantized(constant: Constant, uses: Iterable[Use]) -> None:
    """Refuse a model whose weights are integers: without them a checkpoint would be of no use."""
    for use in uses:
        known = role(use.node, use.slot) is not None
        weight = known and use.node.op_type != "Gather" and constant.place == "initializer"
        if weight or use.node.op_type in QUANTIZED or use.dequantized and known:
            raise FaninValueError(f"{constant.name!r} holds weights of {use.node.op_type} as {constant.dtype}, which "
                                  "fanin does not draw: give the model in another floating-point type, and one that is "
                                  "quantized before its quantization")


# -- their layers -------------------------------------------------------------------------------------------------


def _layer(graphs: Graphs, shapes: Shapes, use: Use) -> Layer:
    """What one use says of a constant, in terms of the constant's own axes."""
    node, index = use.node, use.slot
    if role(node, index) == "bias" and "weight" in ROLES[node.op_type].values() and node.op_type not in RECURRENT:
        return _bias(graphs, shapes, use.scope, node)
    if node.op_type == "Add" and len(node.input) == 2 and use.view.shape is not None and len(use.view.shape) == 1:
        scope = use.scope.find(node.input[1 - index])
        made = scope.producers.get(node.input[1 - index])
        if made is not None and made.op_type in LINEAR and role(made, 1) == "weight":
            return _bias(graphs, shapes, scope, made)
    return _in_own_axes(weight_layer(node, index, use.view.shape), use.view)


def _bias(graphs: Graphs, shapes: Shapes, scope: Scope, node: Node) -> Layer:
    """The layer of a bias: fan_in and fan_out are its weight's, where the graph holds that too."""
    layer = Layer(types(node, "bias"))
    for index, kind in ROLES[node.op_type].items():
        if kind != "weight" or index >= len(node.input):
            continue
        where, name, steps = graphs.source(scope, node.input[index])
        if (id(where), name) not in shapes:
            continue
        view = graphs.view(shapes[id(where), name], steps)
        fans = _fans(weight_layer(node, index, view.shape), view)
        if fans:
            return layer._replace(**fans)
    return layer


def _in_own_axes(layer: Layer, view: View) -> Layer:
    """The layer with its layout written for the constant's axes; with fans alone, where that can't be done."""
    if layer.layout is None or view.shape is None or view.axes == tuple(range(len(view.shape))):
        return layer
    if view.axes is not None:
        letters = dict(zip(view.axes, roles(layer.layout, len(view.shape)), strict=True))
        layout = "".join(letters[axis] for axis in range(len(view.axes)))
        kernels = layout.count("*")
        if not kernels:
            return layer._replace(layout=layout)
        if "*" * kernels in layout:  # the kernel axes are side by side: one * stands for them
            return layer._replace(layout=layout.replace("*" * kernels, "*"))
    return layer._replace(layout=None, groups=1, transposed=False, **_fans(layer, view))


def _fans(layer: Layer, view: View) -> dict[str, Any]:
    if view.shape is None or layer.layout is None and layer.fan_in is None:
        return {}
    fans = layer.fans(view.shape)
    return fans._asdict() if fans.fan_in > 0 and fans.fan_out > 0 else {}


def _combine(layers: Iterable[Layer]) -> Layer:
    """One layer from those of all uses: every type that it has, and of the axes only what they agree on."""
    first, *others = dict.fromkeys(layers)
    if not others:
        return first
    names = tuple(dict.fromkeys(name for layer in (first, *others) for name in layer.types))
    agreed = all(layer[1:] == first[1:] for layer in others)
    return first._replace(types=names) if agreed else Layer(names)
