"""`init_model`: a model's variables by rules. `parameters`: what rules see of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import keras

from .._checks import flag
from .._errors import FaninTypeError, FaninValueError, a_type, shown
from .._seeding import check_source
from ..rules import Parameter, Rules, Table
from ..rules._slots import Buffers, Slot, asked, assign_slots, compile_first, numpy_dtype, with_ties
from ..rules._warnings import emit
from ._layers import layer_of
from ._names import places

if TYPE_CHECKING:
    from .._types import Array, Seed
    from ..rules._names import RulesLike

FLOATING_QUANTIZATION = (None, "float8")  # whose kernels stay what they were


def parameters(model: keras.layers.Layer, *, buffers: bool | str | Sequence[str] = False) -> list[Parameter]:
    """List a model's parameters as rules see them: name, shape, dtype and layer of each, shared ones once.

    Args:
        model: a built `keras.Model`, or a layer.
        buffers: which variables that were made with trainable=False count: False, none; True, all; a glob or several,
            those of such names.

    Returns:
        A list in the order of `model.weights`.

    Raises:
        FaninTypeError, FaninValueError: as `init_model`.
    """
    return asked(find_slots(model, buffers))


def init_model(model: keras.layers.Layer, rules: RulesLike, *, seed: Seed | None = None,
               buffers: bool | str | Sequence[str] = False, partial: bool = False, dry_run: bool = False) -> Table:
    """Initialize a model's variables, each by the first rule that matches it.

    Each variable gets the values of `scheme(shape, dtype, seed=seed, name=<its canonical name>)`, by `assign`: the same
    bits on Keras' numpy, JAX and torch backends, whatever else the process or the model holds. Fans come from the
    layer's type: kernels of convolutions (grouped, depthwise, transposed), EinsumDense by its equation and with it
    attention, an LSTM's gates one by one. With a policy such as "mixed_bfloat16" variables, and draws, are float32.

    A name is the layers' names and the variable's, joined by dots: "encoder.attention.query.kernel". A layer's name is
    the one that its maker gave; where Keras made one up ("dense_3", counted through the process) it is the attribute
    that holds the layer ("fc", "blocks.0"), or in a Sequential or functional model the class, counted in this
    container ("dense", "dense_1").

    Args:
        model: a built `keras.Model`, or a layer.
        rules: `fanin.Rules`, or what makes them: one word ("he_normal", a scheme) for the weights, and for all else
            what it starts from; {"*.bias": "zeros", "*": "he_normal"}, a list of entries, a rule file.
        seed: an int in [0, 2**64), or a `Stream`, which does not move, or None, the default stream.
        buffers: which of the variables made with trainable=False (moving averages) the rules are for; others
            stay as they are. False: none; True: all; a glob or several: those with such names. States of generators
            are never touched.
        partial: whether it is a part of a model: then rules may decide nothing without a warning.
        dry_run: only return the table.

    Returns:
        The table of what each variable gets, in the order of `model.weights`. Its `warnings` were issued, each as a
        `fanin.FaninWarning`, before anything was assigned.

    Raises:
        FaninTypeError: not a Keras model or layer.
        FaninValueError: a model that is not built, or quantized; a parameter that no rule matches; a scheme that its
            shape or dtype does not allow. Nothing was assigned.

    Keras' own initializers draw from one global generator in the order of construction, and count all fans as if
    kernels were (*kernel, in, out), an Embedding's rows included.

    >>> import keras
    >>> from fanin.keras import init_model
    >>> model = keras.Sequential([keras.Input((256,)), keras.layers.Dense(512), keras.layers.Dense(10, name="logits")])
    >>> print(init_model(model, {"*.bias": "zeros", "*.kernel": "he_normal"}, seed=0))
    4 tensors, 137 k parameters, 547 kB of float32
    parameter        shape  layer  rule      scheme                      fan_in  fan_out     std
    dense.kernel   256×512  Dense  *.kernel  VarianceScaling(scale=2.0)     256      512  0.0884
    dense.bias         512  Dense  *.bias    Constant(value=0.0)                               0
    logits.kernel   512×10  Dense  *.kernel  VarianceScaling(scale=2.0)     512       10  0.0625
    logits.bias         10  Dense  *.bias    Constant(value=0.0)                               0
    """
    rules, source, dry_run = Rules.of(rules), check_source(seed), flag("dry_run", dry_run)
    slots = find_slots(model, buffers)
    table = assign_slots(rules, slots, "jax", flag("partial", partial), source)
    emit(table.warnings)
    if not dry_run:
        for slot, values in drawn(slots, table, source):
            slot.place.variable.assign(values)
    return table


def drawn(slots: Sequence[Slot], table: Table, source: Any) -> Iterator[tuple[Slot, Array]]:
    """The slots that rules draw, each with its values."""
    compile_first(table)
    for slot, row in zip(slots, table, strict=True):
        if row.scheme is not None:
            parameter = row.parameter
            yield slot, row.scheme(parameter.shape, parameter.dtype, seed=source, name=parameter.name)


def find_slots(model: Any, buffers: Any) -> list[Slot]:
    """A `Slot` for each variable of a model that can be initialized; its `place` is a `Place`."""
    if not isinstance(model, keras.layers.Layer):
        raise FaninTypeError(f"`model` must be a keras.Model or a layer (got {shown(model, 100)}, {a_type(model)})")
    chosen, slots = Buffers(buffers), []
    for place in places(model):
        if (mode := place.owner.quantization_mode) not in FLOATING_QUANTIZATION:
            raise FaninValueError(f"`model` must not be quantized (the layer of {place.name!r} is: {mode}): initialize "
                                  "it first, and quantize it then")
        shape = tuple(place.variable.shape)
        parameter = Parameter(place.name, shape, numpy_dtype(keras.backend.standardize_dtype(place.variable.dtype)),
                              layer_of(place.owner, place.variable.name, shape))
        slots.append(Slot(parameter, place, place.tied, "buffer, left as it is" if place.buffer else "", place.buffer,
                          frozen=not place.variable.trainable))
    return with_ties(chosen.choose(slots))
