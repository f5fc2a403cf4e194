"""Whole JAX models by rules: flax nnx, linen's variables, equinox, and any pytree of arrays."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
from jax.sharding import Sharding

from .._checks import flag
from .._errors import FaninError, FaninTypeError, FaninValueError, a_type
from .._seeding import check_source, take_key
from ..rules import Parameter, Row, Rules, Table
from ..rules._slots import Buffers, Slot, asked, assign_slots, compile_first
from ..rules._warnings import emit
from . import _trees
from ._arrays import check_dtype, check_processes, draw
from ._shardings import Shardings
from ._slots import Arrays

if TYPE_CHECKING:
    from .._seeding import Stream
    from .._types import Seed
    from ..rules._names import RulesLike


class Initialized(NamedTuple):
    """What `init_model` returns.

    Attributes:
        model: with new arrays: the same object for nnx, a copy otherwise.
        table: what each array got, and why the others stayed as they are.
    """

    model: Any
    table: Table


def parameters(model: Any, *, buffers: bool | str | Sequence[str] = False) -> list[Parameter]:
    """List a model's parameters as rules see them: name, shape, dtype and layer of each, tied ones once.

    Args:
        model, buffers: as in `init_model`.

    Returns:
        A list in the order of the model's paths.

    >>> import jax
    >>> import fanin.jax
    >>> [each.name for each in fanin.jax.parameters({"layers": [{"kernel": jax.ShapeDtypeStruct((8, 4), "float32")}]})]
    ['layers.0.kernel']
    """
    return asked(read_model(model, buffers)[0])


def init_model(model: Any, rules: RulesLike, *, seed: Seed | None = None, shardings: Any = None,
               buffers: bool | str | Sequence[str] = False, partial: bool = False, dry_run: bool = False
               ) -> Initialized:
    """Initialize a whole model: each parameter by the first rule that matches it.

    A parameter's values are `scheme(shape, dtype, seed=seed, name=name)`. The name is its path, "layers.0.kernel". They
    depend neither on other parameters nor on where the model is. Arrays that are no parameters stay as is, and the
    table gives the reason: batch statistics, states of random generators, integers.

    Args:
        model: of arrays, or of `jax.ShapeDtypeStruct` where it was made by `eval_shape`, so that no memory is needed
            before. One of:
            an nnx module, several in a dict or list, or an `nnx.State` (which knows no layers). Its Params are set in
            place, those that are used twice once, under the name that sorts first. The fans are the layer's: grouped
            convolutions, attention's (in, heads, size), stacked layers that vmap or scan made;
            equinox modules. The fans are the layer's, and weights of classes of your own are taken as equinox' are,
            (out, in, *kernel). Arrays of numpy and those in a StateIndex are no parameters;
            linen's variables, `{"params": ...}` or what is in it, boxed or not; or any other pytree. Nothing but names
            and shapes is known here: kernels are (*kernel, in, out), for others (stacked layers' among them) give the
            rule a layout, {"name": "he_normal", "layout": "bio"}.
        rules: `Rules`, or what they can be made of: one word ("he_normal", a scheme) for the weights, and for all else
            what it starts from; entries, {match: init}, a file.
        seed: an int in [0, 2**64), a `Stream`, or None, the default stream. Over several processes one must be given.
        shardings: None, and each array stays where it is (a ShapeDtypeStruct's own sharding counts); a sharding for
            all; a function from a `fanin.rules.Parameter` to a sharding or None; or a tree of shardings by the same
            paths, such as `nnx.get_named_sharding` and `flax.linen.get_sharding` make. Each process draws only what its
            devices hold.
        buffers: which floating-point arrays that are no parameters (batch statistics, states, linen's collections)
            count as such, too: False, none; True, all; a glob or several, those of such names. A model of shapes needs
            them: "*.mean" and "*.var" for nnx' BatchNorm. (Its random generators are set by `nnx.reseed`.)
        partial: whether it is a part of a model: then rules may decide nothing without a warning.
        dry_run: check everything, draw nothing.

    Returns:
        `Initialized(model, table)`. The table's `warnings` were issued, each as a `fanin.FaninWarning`.

    Raises:
        FaninValueError, FaninTypeError, FaninKeyError: rules, a parameter that no rule matches, a sharding, the seed.
            All is checked before the first array is drawn.

    >>> import jax
    >>> import fanin.jax
    >>> shapes = {"dense": {"kernel": jax.ShapeDtypeStruct((512, 256), "float32"),
    ...                     "bias": jax.ShapeDtypeStruct((256,), "float32")}}
    >>> params, table = fanin.jax.init_model(shapes, {"*.bias": "zeros", "*": "he_normal"}, seed=0)
    >>> params["dense"]["kernel"].shape, [row.rule for row in table]
    ((512, 256), ['*.bias', '*'])
    """
    slots, put, layout = read_model(model, buffers)
    if not asked(slots):
        raise FaninTypeError(f"`model` must hold floating-point arrays (got {a_type(model)} without any): of "
                             "a linen module pass the variables, jax.eval_shape(module.init, key, x)")
    if any(isinstance(slot.place, jax.core.Tracer) for slot in slots if not slot.note):
        raise FaninTypeError("`model` must hold arrays or shapes (got tracers): call init_model outside of jit, vmap "
                             "and grad, on a model made by eval_shape or by the jitted function")
    names = [slot.parameter.name for slot in slots]
    if len(set(names)) < len(names):
        raise FaninValueError("`model` must have a path of its own for each array (got "
                              f"{max(names, key=names.count)!r} twice)")
    source, where = check_source(seed), Shardings(shardings, names)
    table = assign_slots(Rules.of(rules), slots, layout, flag("partial", partial), source)
    drawn = [(row, where.find(slot)) for slot, row in zip(slots, table, strict=True) if row.scheme is not None]
    for row, _ in drawn:
        _check(row.parameter)
    check_processes(seed, [sharding for _, sharding in drawn])
    emit(table.warnings)
    if dry_run:
        return Initialized(model, table)
    compile_first(table)
    return Initialized(put((row.parameter.name, _draw(row, sharding, source)) for row, sharding in drawn), table)


def _check(parameter: Parameter) -> None:
    try:
        check_dtype(parameter.dtype)  # a ShapeDtypeStruct may have a type that JAX has not
    except FaninError as error:
        raise type(error)(f"{parameter.name!r}: {error}") from None


def _draw(row: Row, sharding: Sharding | None, source: int | Stream) -> jax.Array:
    scheme: Any = row.scheme
    name, shape, dtype, _ = row.parameter
    return draw(scheme, shape, dtype, sharding, take_key(source, name), name)


def read_model(model: Any, buffers: Any) -> tuple[list[Slot], Callable[[Arrays], Any], str]:
    """The slots, a function that takes (name, array) pairs and gives the model with them, and the usual layout."""
    chosen = Buffers(buffers)
    (slots, put), layout = _find_slots(model)
    return chosen.choose(slots), put, layout


def _find_slots(model: Any) -> tuple[tuple[list[Slot], Callable[[Arrays], Any]], str]:
    if "flax.nnx" in sys.modules:  # without it no object can be a module of nnx
        from . import _nnx

        if _nnx.is_model(model):
            return _nnx.find_slots(model), "jax"
    return _trees.find_slots(model), "torch" if _trees.has_equinox(model) else "jax"
