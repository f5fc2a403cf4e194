"""Where the layers' outputs are tapped: by linen's interceptors, and on the classes of nnx and equinox modules."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .._trees import is_equinox
from .taps import Taps

_patching = threading.RLock()


@contextlib.contextmanager
def intercepted(model: Any, taps: Taps) -> Iterator[None]:
    """Within it each call of a layer goes through a tap.

    Args:
        model: the nnx or equinox model that is called, the very object; linen's layers are found when they are called.
    """
    with contextlib.ExitStack() as stack:
        if "flax.linen" in sys.modules:
            stack.enter_context(_linen(taps))
        names = dict(_modules(model))
        if names:
            stack.enter_context(_patched(names, taps))
        yield


def _linen(taps: Taps) -> Any:
    from flax import linen

    def interceptor(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
        output = call(*args, **kwargs)
        if context.method_name != "__call__":
            return output
        return taps.tap(".".join(context.module.path), type(context.module).__name__, (args, kwargs), output)

    return linen.intercept_methods(interceptor)


def _modules(model: Any) -> Iterator[tuple[int, tuple[str, Any]]]:
    """(id, (name, module)) of the nnx and equinox modules in a model."""
    if "flax.nnx" in sys.modules:
        from flax import nnx

        if isinstance(model, nnx.Module):
            for path, part in nnx.iter_modules(model):
                yield id(part), (".".join(map(str, path)), part)
            return
    yield from _equinox_modules(model, ())


def _equinox_modules(node: Any, path: tuple[str, ...]) -> Iterator[tuple[int, tuple[str, Any]]]:
    if is_equinox(node):
        yield id(node), (".".join(path), node)
        children: Any = vars(node).items()
    elif isinstance(node, Mapping):
        children = node.items()
    elif isinstance(node, (list, tuple)):
        children = enumerate(node)
    else:
        return
    for key, child in children:
        yield from _equinox_modules(child, (*path, str(key)))


@contextlib.contextmanager
def _patched(names: Mapping[int, tuple[str, Any]], taps: Taps) -> Iterator[None]:
    """Within it the classes of these modules have a `__call__` that taps; other instances of theirs are untouched."""
    active: set[int] = set()
    with _patching:
        owners = {owner for _, part in names.values()
                  if (owner := next((each for each in type(part).__mro__ if "__call__" in vars(each)), None))}
        originals = {owner: vars(owner)["__call__"] for owner in owners if owner is not object}
        try:
            for owner, original in originals.items():
                setattr(owner, "__call__", _tapping(owner, original, names, taps, active))  # noqa: B010
            yield
        finally:
            for owner, original in originals.items():
                setattr(owner, "__call__", original)  # noqa: B010


def _tapping(owner: type, original: Any, names: Mapping[int, tuple[str, Any]], taps: Taps, active: set[int]
             ) -> Callable[..., Any]:
    def __call__(self: Any, *args: Any, **kwargs: Any) -> Any:
        bound = original.__get__(self, type(self))
        if id(self) not in names or id(self) in active:  # another model's, or a class calling its base's
            return bound(*args, **kwargs)
        active.add(id(self))
        try:
            output = bound(*args, **kwargs)
        finally:
            active.discard(id(self))
        return taps.tap(names[id(self)][0], type(self).__name__, (args, kwargs), output)

    return __call__
