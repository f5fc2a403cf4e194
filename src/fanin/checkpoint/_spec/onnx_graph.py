"""An ONNX graph with its subgraphs: where a name is defined, and which nodes use its value, directly or passed on."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from .onnx_ops import Dims, Node, attribute, integers, permutation

_PASS = {"Identity", "Cast", "Dropout", "DequantizeLinear"}  # the value arrives with its axes
_RESHAPE = {"Reshape", "Flatten", "Squeeze", "Unsqueeze"}  # its elements arrive, along other axes
_REPEAT = {"Expand", "Tile"}  # they arrive several times, as an initial state for each of a batch
_CUT = {"Slice", "Split", "Concat"}  # of constants alone: parts of it arrive, as gates in another order
_MAX_INTEGERS = 64  # axes of a shape that is worth reading


_Key = tuple[int, str]  # the id of the scope that defines a name, and the name


class View(NamedTuple):
    """A value as a node sees it: its shape there, and which axis of the value itself each axis is; None: not known."""

    shape: Dims | None
    axes: Dims | None


class Use(NamedTuple):
    """A node's input where a value arrives."""

    scope: Scope
    node: Node
    slot: int  # which input
    view: View
    dequantized: bool


class Scope:
    """One graph: the names that it defines itself; a subgraph also sees those of the graphs around it."""

    def __init__(self, graph: Any, parent: Scope | None = None) -> None:
        self.graph, self.parent = graph, parent
        self.initializers = {each.name: each for each in graph.initializer}
        self.producers = {name: node for node in graph.node for name in node.output}
        self.names = {*self.initializers, *self.producers, *(each.name for each in graph.input)}

    def find(self, name: str) -> Scope:
        """The scope that defines a name, as seen from here."""
        scope = self
        while name not in scope.names and scope.parent is not None:
            scope = scope.parent
        return scope


class Graphs:
    """A graph and all its subgraphs: who uses a value, and where it comes from. `to_array` reads small integers."""

    def __init__(self, graph: Any, to_array: Callable[[Any], Any]) -> None:
        self.scopes: list[Scope] = []
        self._to_array = to_array
        self._users: defaultdict[_Key, list[tuple[Scope, Node, int]]] = defaultdict(list)
        self._fixed: set[_Key] = set()  # values that the graph holds itself, or makes of such
        self._add(Scope(graph))

    def _add(self, scope: Scope) -> None:
        self.scopes.append(scope)
        self._fixed.update((id(scope), name) for name in scope.initializers)
        for node in scope.graph.node:  # a valid graph has them in the order of computation
            given = [(id(scope.find(name)), name) for name in node.input]
            for index, key in enumerate(given):
                if key[1]:  # an optional input may be left out
                    self._users[key].append((scope, node, index))
            if node.op_type == "Constant" or (_passes(node) or node.op_type in _CUT) and all(
                    key in self._fixed or not key[1] for key in given):
                self._fixed.update((id(scope), name) for name in node.output)
            for graph in _subgraphs(node):
                self._add(Scope(graph, scope))

    def uses(self, scope: Scope, name: str, shape: Dims) -> list[Use]:
        """All places where a value arrives, nodes that pass it on left out."""
        uses, seen = [], set()
        pending = [(scope, name, _whole(shape), False)]
        for scope, name, view, dequantized in pending:  # it grows meanwhile
            if (id(scope), name) in seen:  # no valid graph has a cycle
                continue
            seen.add((id(scope), name))
            for where, node, index in self._users[id(scope.find(name)), name]:
                if index == 0 and node.output and _passes(node):
                    quantized = dequantized or node.op_type == "DequantizeLinear"
                    pending.append((where, node.output[0], self._seen_after(where, node, view), quantized))
                elif self._cuts(where, node) and (index == 0 or node.op_type == "Concat"):
                    pending += [(where, output, View(None, None), dequantized) for output in node.output]
                else:
                    uses.append(Use(where, node, index, view, dequantized))
        return uses

    def _cuts(self, scope: Scope, node: Node) -> bool:
        """Whether a node's outputs are parts of constants."""
        return node.op_type in _CUT and bool(node.output) and (id(scope), node.output[0]) in self._fixed

    def source(self, scope: Scope, name: str) -> tuple[Scope, str, list[tuple[Scope, Node]]]:
        """`uses` backwards: (scope, name, steps) of the value that arrives as `name`, and the nodes that passed it."""
        steps: list[tuple[Scope, Node]] = []
        seen = set()
        scope = scope.find(name)
        while (node := scope.producers.get(name)) is not None and (id(scope), name) not in seen:
            if not node.input or not _passes(node):
                break
            seen.add((id(scope), name))
            steps.append((scope, node))
            name = node.input[0]
            scope = scope.find(name)
        return scope, name, steps[::-1]

    def view(self, shape: Dims, steps: list[tuple[Scope, Node]]) -> View:
        """A value of this shape as it is seen after the nodes of `source`."""
        view = _whole(shape)
        for scope, node in steps:
            view = self._seen_after(scope, node, view)
        return view

    def constant(self, scope: Scope, name: str) -> tuple[Any, bool]:
        """(tensor, whether it is an initializer) that the graph holds under a name, passed on or not; None: none."""
        scope, name, _ = self.source(scope, name)
        if name in scope.initializers:
            return scope.initializers[name], True
        made = scope.producers.get(name)
        if made is None or made.op_type != "Constant":
            return None, False
        return next((each.t for each in made.attribute if each.name == "value"), None), False

    def integers(self, scope: Scope, name: str) -> list[int] | None:
        """The few ints that the graph holds under a name; None: it holds none, or computes them."""
        tensor, _ = self.constant(scope, name)
        if tensor is None or len(tensor.dims) > 1 or math.prod(tensor.dims) > _MAX_INTEGERS or tensor.data_location:
            return None  # the last: in a file of its own
        try:
            values = self._to_array(tensor)
        except (ValueError, TypeError):
            return None
        return [int(value) for value in values.reshape(-1)] if values.dtype.kind in "iu" else None

    def _seen_after(self, scope: Scope, node: Node, view: View) -> View:
        if view.shape is None or node.op_type in _PASS:
            return view
        if node.op_type in _REPEAT:
            return View(None, None)
        if node.op_type == "Transpose":
            order = permutation(node, len(view.shape))
            if order is None:
                return View(None, None)
            return View(tuple(view.shape[position] for position in order),
                        None if view.axes is None else tuple(view.axes[position] for position in order))
        given = integers(node, "shape" if node.op_type == "Reshape" else "axes")
        if given is None and len(node.input) > 1 and node.input[1]:
            given = self.integers(scope, node.input[1])
            if given is None:
                return View(None, None)
        return View(_reshaped(node, view.shape, given), None)


def _whole(shape: Dims) -> View:
    """A value as it is itself."""
    return View(shape, tuple(range(len(shape))))


def _subgraphs(node: Node) -> Iterator[Any]:
    """The graphs in a node's attributes: a loop's body, the branches of an If."""
    for each in node.attribute:
        if each.HasField("g"):
            yield each.g
        yield from each.graphs


def _passes(node: Node) -> bool:
    return node.op_type in _PASS | _RESHAPE | _REPEAT | {"Transpose"}


def _reshaped(node: Node, shape: Dims, given: list[int] | None) -> Dims | None:
    """The output's shape of a node of _RESHAPE; None for one that the operator could not have."""
    rank = len(shape)
    if node.op_type == "Flatten":
        axis = attribute(node, "axis", 1)
        if axis < 0:
            axis += rank
        return math.prod(shape[:axis]), math.prod(shape[axis:])
    if node.op_type == "Squeeze":
        gone = {axis % max(rank, 1) for axis in given} if given is not None else set(range(rank))
        return tuple(dim for axis, dim in enumerate(shape) if axis not in gone or dim != 1)
    if given is None:
        return None
    if node.op_type == "Unsqueeze":
        new, old = {axis % (rank + len(given)) for axis in given}, iter(shape)
        if len(new) < len(given):
            return None
        return tuple(1 if axis in new else next(old) for axis in range(rank + len(new)))
    dims = [shape[axis] if dim == 0 and axis < rank and not attribute(node, "allowzero", 0) else dim
            for axis, dim in enumerate(given)]
    known = math.prod(dim for dim in dims if dim != -1)
    if -1 in dims and known:
        dims[dims.index(-1)] = math.prod(shape) // known
    return tuple(dims) if math.prod(dims) == math.prod(shape) and min(dims, default=0) >= 0 else None
