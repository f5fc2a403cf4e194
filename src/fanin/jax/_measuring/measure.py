"""`signal`: whether a JAX model's signal lives at initialization."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ..._checks import flag
from ..._errors import FaninTypeError, shown
from ..._seeding import check_source
from ..._signal import Comparison, Signal, Weight, by_label, spectra, with_weights
from ...rules import Rules
from ...rules._facts import LAYOUTS
from ...rules._slots import Slot
from .._models import _find_slots, init_model
from . import passes, taps
from .intercept import intercepted

if TYPE_CHECKING:
    from ..._types import Seed
    from ...rules._names import RulesLike


def signal(apply: Callable[..., Any], variables: Any, *inputs: Any, rules: RulesLike | None = None,
           compare: Mapping[str, Any] | None = None, seed: Seed | None = None,
           loss: Callable[[Any], Any] | None = None, grad: bool = True, spectrum: bool = False) -> Signal | Comparison:
    """Measure a network's signal in each layer by one forward and one backward pass: does it live, die or explode?

    The result and its verdict are those of `fanin.torch.signal`. Nothing is written into the model; its states are
    what they were.

    Args:
        apply: called as `apply(variables, *inputs)`. Of linen `module.apply`, with `functools.partial` for `rngs` or
            `mutable`; of nnx and equinox a function of the model, such as `lambda model, x: model(x)`, or
            `lambda model, x: jax.vmap(model)(x)`, under which figures are means over the batch.
        variables: linen's variables, an nnx or an equinox model.
        *inputs: one batch, such as `jax.random.normal(key, (8, 28, 28, 1))`.
        rules, compare, seed: as in `fanin.torch.signal`: draw weights as `init_model` would.
        loss: a function of the output; without one a fixed random projection of the output with unit variance.
        grad: False for the forward pass alone.
        spectrum: also all singular values of each weight, which takes long.

    Returns:
        A `Signal`, or with `compare` a `Comparison`. A layer in a scan has one row, with the means over its iterations.
        Layers inside nnx' own transformations have none, and with `grad` neither have those whose output the loss does
        not depend on. Under `jax.vmap` no layer sees two rows of the batch: figures have no cosine and no dead units.

    Raises:
        FaninTypeError, FaninValueError: `rules` with `compare`, a loss that is no scalar, no layer that is called; what
            `init_model` raises.

    >>> import jax
    >>> from flax import nnx
    >>> import fanin.jax
    >>> layers = [layer for key in range(40) for layer in (nnx.Linear(64, 64, rngs=nnx.Rngs(key)), nnx.relu)]
    >>> x = jax.random.normal(jax.random.key(0), (8, 64))
    >>> fanin.jax.signal(lambda model, x: model(x), nnx.Sequential(*layers), x).alive
    False
    """
    all_rules = by_label(rules, compare, Rules.of)
    for name, value in (("apply", apply), ("loss", loss)):
        if not callable(value) and not (name == "loss" and value is None):
            raise FaninTypeError(f"`{name}` must be a function (got {shown(value, 100)})")
    check_source(seed)
    grad, spectrum = flag("grad", grad), flag("spectrum", spectrum)
    if hasattr(apply, "lower"):  # jitted: it would keep the trace of the first pass, which has no taps
        apply = getattr(apply, "__wrapped__", apply)
    done = {label: _measure(apply, _drawn(variables, each, seed), inputs, loss, grad, spectrum)
            for label, each in all_rules.items()}
    return done[""] if compare is None else Comparison(done)


def _is_nnx(model: Any) -> bool:
    if "flax.nnx" not in sys.modules:
        return False
    from flax import nnx

    return isinstance(model, nnx.Module)


def _drawn(model: Any, rules: Rules | None, seed: Any) -> Any:
    """A model with weights by rules, which shares nothing that is written with the user's."""
    if rules is None:
        return model
    if _is_nnx(model):
        from flax import nnx

        model = nnx.clone(model)
    return init_model(model, rules, seed=seed).model


def _copier(model: Any) -> Callable[[], Any]:
    """A function that makes a new model with the same arrays: of nnx, whose variables know the trace they are from."""
    if not _is_nnx(model):
        return lambda: model
    from flax import nnx

    graph, state = nnx.split(model)
    return lambda: nnx.merge(graph, state, copy=True)  # else they stay Variables of the trace outside


def _measure(apply: Callable[..., Any], model: Any, inputs: tuple[Any, ...], loss: Callable[[Any], Any] | None,
             grad: bool, spectrum: bool) -> Signal:
    copy = _copier(model)
    (slots, _), layout = _find_slots(model)
    values = {slot.parameter.name: _array(slot) for slot in slots if not slot.note and taps.is_real(_array(slot))}
    batch = passes.of_inputs(inputs)

    def run(arrays: Mapping[str, Any], found: taps.Taps) -> Any:
        (_, put), _ = _find_slots(whole := copy())
        whole = put(dict(arrays).items())
        with intercepted(whole, found):
            return apply(whole, *inputs)

    passed = passes.backward(run, values, batch, loss) if grad else passes.forward(run, values, batch)
    if not passed.layers:
        raise FaninTypeError("`apply` must call layers of linen, nnx or equinox that the loss depends on, and be "
                             "traced anew (got none): pass the model itself as `variables`, and functions without "
                             "jax.jit around them that call it")
    weights = _own_weights(slots, values, LAYOUTS[layout])
    return Signal(_name(apply, model), "the mode that `apply` runs it in",
                  with_weights(passed.layers, weights, passed.gradients), passed.loss, batch.rms, batch.cosine,
                  spectra(weights) if spectrum else None)


def _array(slot: Slot) -> Any:
    return slot.place.get_value() if hasattr(slot.place, "get_value") else slot.place


def _own_weights(slots: list[Slot], values: Mapping[str, Any], layout: str) -> dict[str, Weight]:
    """{name of a layer: its weight}."""
    largest: dict[str, Slot] = {}
    for slot in slots:
        name, shape = slot.parameter.name, slot.parameter.shape
        layer = name.rpartition(".")[0]
        if name in values and len(shape) > 1 and (
                layer not in largest or math.prod(shape) > math.prod(largest[layer].parameter.shape)):
            largest[layer] = slot
    return {layer: Weight.of(slot.parameter, np.asarray(values[slot.parameter.name]), layout)
            for layer, slot in largest.items()}


def _name(apply: Any, model: Any) -> str:
    owner = getattr(getattr(apply, "func", apply), "__self__", None)  # of module.apply, partial or not
    return type(model if owner is None else owner).__name__
