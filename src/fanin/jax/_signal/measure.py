"""`signal`: whether a JAX model's signal lives at initialization."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from ..._errors import FaninError, FaninTypeError
from ..._initializers import Normal
from ..._seeding import check_source
from ..._signal import Comparison, InitialLoss, LayerSignal, Signal, by_label
from ...rules import Rules
from ...rules._slots import Slot
from .._models import _find_slots, init_model
from . import taps
from .intercept import intercepted

if TYPE_CHECKING:
    from ..._types import Seed


def signal(apply: Callable[..., Any], variables: Any, *inputs: Any, rules: Any = None,
           compare: Mapping[str, Any] | None = None, seed: Seed | None = None,
           loss: Callable[[Any], Any] | None = None) -> Signal | Comparison:
    """See whether a signal lives: a forward and a backward pass, and for each layer how large it is there.

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

    Returns:
        A `Signal`, or with `compare` a `Comparison`. Layers whose output nothing depends on have no row. A layer in a
        scan has one, with the means over its iterations. Layers inside nnx' own transformations have none.

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
    chosen = by_label(rules, compare)
    for name, value in (("apply", apply), ("loss", loss)):
        if not callable(value) and not (name == "loss" and value is None):
            raise FaninTypeError(f"`{name}` must be a function (got {value!r:.100})")
    check_source(seed)
    if hasattr(apply, "lower"):  # jitted: it would keep the trace of the first pass, which has no taps
        apply = getattr(apply, "__wrapped__", apply)
    all_rules = {label: None if each is None else Rules.of(each) for label, each in chosen.items()}
    done = {label: _measure(apply, _drawn(variables, each, seed), inputs, loss) for label, each in all_rules.items()}
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


def _measure(apply: Callable[..., Any], model: Any, inputs: tuple[Any, ...], loss: Callable[[Any], Any] | None
             ) -> Signal:
    copy = _copier(model)
    (slots, _), _ = _find_slots(model)
    weights = {slot.parameter.name: _array(slot) for slot in slots if not slot.note and taps.is_real(_array(slot))}
    batch = next((len(leaf) for leaf in jax.tree.leaves(inputs) if getattr(leaf, "ndim", 0)), None)

    def run(arrays: dict[str, Any], sinks: dict[str, Any] | None) -> tuple[Any, taps.Taps]:
        (_, put), _ = _find_slots(whole := copy())
        whole = put(arrays.items())
        found = taps.Taps(batch, sinks)
        with intercepted(whole, found):
            return apply(whole, *inputs), found

    met: list[taps.Tap] = []

    def names(arrays: dict[str, Any]) -> Any:
        output, found = run(arrays, None)
        met[:] = found.found
        return output

    shape = jax.eval_shape(names, weights)
    if not met:
        raise FaninTypeError("`apply` must call layers of linen, nnx or equinox (got none): pass the model itself as "
                             "`variables`, and a function that calls it")
    project = _projection(taps.first_real(shape)) if loss is None else None

    def scalar(arrays: dict[str, Any], sinks: dict[str, Any]) -> tuple[Any, Any]:
        output, _ = run(arrays, sinks)
        value = loss(output) if loss is not None else jnp.sum(taps.first_real(output) * project)
        if jnp.shape(value) != ():
            raise FaninTypeError(f"`loss` must give a scalar (got a shape of {jnp.shape(value)}): average it")
        return value, output

    @jax.jit
    def whole(arrays: dict[str, Any], sinks: dict[str, Any]) -> Any:
        (value, output), (gradients, figures) = jax.value_and_grad(scalar, (0, 1), has_aux=True)(arrays, sinks)
        return value, taps.first_real(output), jax.tree.map(taps.rms, gradients), figures

    sinks = {taps.key(tap): jnp.zeros(len(taps.FIGURES), jnp.float32) for tap in met}
    value, output, gradients, figures = whole(weights, sinks)
    layers = _with_weights(_layers(met, figures), slots, weights, gradients)
    if not layers:
        raise FaninTypeError("`apply` must be traced anew, and the loss must depend on its layers (got none that it "
                             "reaches): pass functions without jax.jit around them")
    entered = taps.first_real(inputs)
    angle = None if entered is None or batch is None or batch < 2 else _finite(taps.cosine(entered))
    return Signal(_name(apply, model), "the mode that `apply` runs it in", layers,
                  _loss(output, None if loss is None else float(value)),
                  None if entered is None else float(taps.rms(entered)), angle)


def _array(slot: Slot) -> Any:
    return slot.place.get_value() if hasattr(slot.place, "get_value") else slot.place


def _projection(output: Any) -> jax.Array:
    if output is None:
        raise FaninTypeError("`apply` must give floating-point arrays (got none): pass `loss`, a function of what it "
                             "gives")
    return jnp.asarray(Normal()(tuple(output.shape), seed=0, name="fanin.signal"), output.dtype)


def _finite(value: Any) -> float | None:
    number = float(value)
    return number if math.isfinite(number) else None


def _layers(met: list[taps.Tap], figures: Mapping[str, Any]) -> list[LayerSignal]:
    """What the taps have seen, of those that the loss depends on."""
    layers: list[LayerSignal] = []
    calls: dict[str, int] = {}
    for tap in met:
        seen = dict(zip(taps.FIGURES, np.asarray(figures[taps.key(tap)], np.float64).tolist()))
        if seen["calls"] == 0:
            continue
        call = calls[tap.layer] = calls.get(tap.layer, 0) + 1
        count = seen["calls"]
        rms, entered = seen["rms"] / count, seen["entered"] / count
        layers.append(LayerSignal(
            tap.layer, tap.kind, call, tap.size, rms, rms / entered if entered else None, seen["zeros"] / count, None,
            int(seen["nonfinite"]) if math.isfinite(seen["nonfinite"]) else tap.size,
            seen["cosine"] / seen["paired"] if seen["paired"] else None, seen["gradient"] / count))
    return layers


def _with_weights(layers: list[LayerSignal], slots: list[Slot], weights: Mapping[str, Any],
                  gradients: Mapping[str, Any]) -> list[LayerSignal]:
    """The layers with the figures of the largest of their own weights that are matrices."""
    own: dict[str, Slot] = {}
    for slot in slots:
        name, shape = slot.parameter.name, slot.parameter.shape
        layer = name.rpartition(".")[0]
        if name in weights and len(shape) > 1 and (
                layer not in own or math.prod(shape) > math.prod(own[layer].parameter.shape)):
            own[layer] = slot
    return [_with_weight(layer, own[layer.layer], weights, gradients) if layer.layer in own else layer
            for layer in layers]


def _with_weight(layer: LayerSignal, slot: Slot, weights: Mapping[str, Any], gradients: Mapping[str, Any]
                 ) -> LayerSignal:
    name = slot.parameter.name
    values = np.asarray(weights[name], np.float32)
    try:
        fan_in: float | None = float(slot.parameter.fans("*io").fan_in)
    except FaninError:
        fan_in = None
    matrix = jnp.asarray(values.reshape(-1, values.shape[-1]))
    vectors = jnp.asarray(Normal()((matrix.shape[1], min(8, *matrix.shape)), seed=0, name="fanin.signal"))
    for _ in range(2):  # subspace iteration, as for torch
        vectors = jnp.linalg.qr(matrix.T @ (matrix @ vectors))[0]
    norm = float(jnp.linalg.norm(matrix @ vectors, 2))
    return layer._replace(weight=name, fan_in=fan_in, weight_std=float(values.std(dtype=np.float64)), weight_norm=norm,
                          weight_gradient=float(gradients[name]))


def _loss(output: Any, value: float | None) -> InitialLoss:
    source = "the given loss" if value is not None else "a random projection of the output with unit variance"
    if output is None or output.ndim < 2 or output.shape[-1] < 2:
        return InitialLoss(value, source)
    wide = jnp.asarray(output, jnp.float32)
    guess = _finite(jnp.mean(jax.nn.logsumexp(wide, -1) - jnp.mean(wide, -1)))
    return InitialLoss(value, source, output.shape[-1], guess)


def _name(apply: Any, model: Any) -> str:
    owner = getattr(getattr(apply, "func", apply), "__self__", None)  # of module.apply, partial or not
    return type(model if owner is None else owner).__name__
