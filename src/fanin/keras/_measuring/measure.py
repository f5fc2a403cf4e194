"""`signal`: whether a Keras model's signal lives at initialization."""

from __future__ import annotations

import functools
import importlib
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import keras

from ..._checks import flag
from ..._errors import FaninTypeError, FaninValueError, a_type, shown
from ..._seeding import check_source
from ..._signal import Comparison, Signal, Weight, by_label, spectra, with_weights
from ...rules import Rules
from ...rules._slots import Slot, assign_slots
from ...rules._warnings import emit
from .._model import drawn, find_slots
from .._names import walk
from .._verify import values_of
from . import arrays
from .calls import attributes_kept

if TYPE_CHECKING:
    from ..._types import Array, Seed
    from ...rules._names import RulesLike

BACKENDS = {"torch": "on_torch", "jax": "on_jax"}  # which have gradients here; others run forward only


def signal(model: keras.layers.Layer, *inputs: Any, rules: RulesLike | None = None,
           compare: Mapping[str, Any] | None = None, seed: Seed | None = None,
           loss: Callable[[Any], Any] | None = None, grad: bool = True, spectrum: bool = False,
           training: bool = True) -> Signal | Comparison:
    """Measure a network's signal in each layer by one forward and one backward pass: does it live, die or explode?

    The result and its verdict are those of `fanin.torch.signal`. Nothing is assigned to the model's variables, its
    random generators' states included, and attributes that a call sets are put back.

    Args:
        model: a built `keras.Model`, or a layer, on Keras' torch or JAX backend; on others with grad=False.
        *inputs: one batch, as the model takes it; several are the list that a functional model takes.
        rules, compare: as in `fanin.torch.signal`: the weights that `init_model` would draw.
        seed: of the draws, as in `init_model`. Dropout goes on from its generator's state.
        loss: a function of the output, in the backend's or `keras.ops`' functions; without one a fixed random
            projection of the output with unit variance, so that gradients at the output have an rms of 1.
        grad: False for the forward pass alone.
        spectrum: also all singular values of each weight, which takes long.
        training: how the model is called: Keras' models have no mode of their own. False is inference, in which
            BatchNormalization uses statistics that nobody has gathered.

    Returns:
        A `Signal`, or with `compare` a `Comparison`.

    Raises:
        FaninTypeError, FaninValueError: `rules` with `compare`, no inputs, gradients on a backend that is neither; a
            loss that is no scalar; what `init_model` raises.

    >>> import keras, numpy
    >>> import fanin.keras
    >>> layers = [keras.layers.Dense(64, activation="relu") for _ in range(40)]
    >>> model = keras.Sequential([keras.Input((64,)), *layers])
    >>> batch = numpy.random.default_rng(0).standard_normal((8, 64), dtype="float32")
    >>> found = fanin.keras.signal(model, batch, seed=0, compare={"glorot": "glorot_normal", "he": "he_normal"},
    ...                            grad=False)  # on any backend
    >>> {label: each.alive for label, each in found.signals.items()}
    {'glorot': False, 'he': True}
    """
    all_rules = by_label(rules, compare, Rules.of)
    if loss is not None and not callable(loss):
        raise FaninTypeError(f"`loss` must be a function of the model's output (got {shown(loss, 100)})")
    grad, spectrum, training = flag("grad", grad), flag("spectrum", spectrum), flag("training", training)
    check_source(seed)
    slots = find_slots(model, False)
    if not inputs:
        raise FaninValueError("`inputs` must hold a batch for the model (got none): noise such as "
                              "keras.random.normal((8, 224, 224, 3)) will do")
    if any(0 in leaf.shape for leaf in keras.tree.flatten(inputs) if hasattr(leaf, "shape")):
        raise FaninValueError("`inputs` must have elements (got an array without any): pass a batch of a few rows")
    run = functools.partial(_measure, model, inputs, slots, loss, grad, spectrum, training)
    done = {label: run(_values(slots, each, seed)) for label, each in all_rules.items()}
    return done[""] if compare is None else Comparison(done)


def _values(slots: list[Slot], rules: Rules | None, seed: Any) -> dict[str, Array]:
    """{name: values} of the parameters that rules draw."""
    if rules is None:
        return {}
    source = check_source(seed)
    table = assign_slots(rules, slots, "jax", source=source)
    emit(table.warnings)
    return {slot.parameter.name: values for slot, values in drawn(slots, table, source)}


def _measure(model: Any, inputs: tuple[Any, ...], slots: list[Slot], loss: Callable[[Any], Any] | None, grad: bool,
             spectrum: bool, training: bool, values: Mapping[str, Array]) -> Signal:
    if len(inputs) > 1 and isinstance(model, keras.Function):
        inputs = (list(inputs),)
    tensors = keras.tree.map_structure(
        lambda leaf: keras.ops.convert_to_tensor(leaf) if hasattr(leaf, "dtype") else leaf, inputs)

    def call(batch: Any) -> Any:
        return model(*batch, training=training)

    asked = [slot for slot in slots if not slot.note]
    batch = arrays.of_inputs(tensors)
    backend = importlib.import_module(f".{BACKENDS.get(keras.backend.backend(), 'on_any')}", __package__)
    with attributes_kept(model):
        passed = backend.measure(model, call, tensors, asked, values, batch, loss, grad)
    if not passed.layers:
        raise FaninTypeError(f"`model` must have layers that give floating-point tensors (got {a_type(model)} "
                             "in which none does)")
    weights = _own_weights(model, asked, values, {row.layer for row in passed.layers})
    return Signal(type(model).__name__, "training mode" if training else "inference mode",
                  with_weights(passed.layers, weights, passed.gradients), passed.loss, batch.rms, batch.cosine,
                  spectra(weights) if spectrum else None)


def _own_weights(model: Any, slots: list[Slot], values: Mapping[str, Array], called: set[str]) -> dict[str, Weight]:
    """{name of a layer: its weight}; of a recurrent layer whose cell is not called, but fused, its cell's."""
    names = {id(layer): path.removesuffix(".") for layer, path in walk(model)}
    largest: dict[str, Slot] = {}
    for slot in slots:
        layer, shape = names[id(slot.place.owner)], slot.parameter.shape
        if layer not in called and layer.endswith(".cell"):
            layer = layer.removesuffix(".cell")
        fact = slot.parameter.layer  # a PReLU's alpha is no matrix, though it may have several axes
        is_matrix = (fact is not None and fact.layout is not None) or sum(size > 1 for size in shape) > 1
        if len(shape) > 1 and is_matrix and (
                layer not in largest or math.prod(shape) > math.prod(largest[layer].parameter.shape)):
            largest[layer] = slot
    return {layer: Weight.of(slot.parameter, values[slot.parameter.name] if slot.parameter.name in values
                             else values_of(slot.place.variable), "*io") for layer, slot in largest.items()}
