"""Names of schemes and presets, and the table of scheme classes that configs refer to."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

from .._errors import FaninKeyError, FaninWarning, did_you_mean, shown

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from .data import Scheme

ENTRY_POINTS = "fanin.schemes"

_classes: dict[str, type[Any]] = {}  # by canonical name
_spelled: dict[type[Any], str] = {}  # class -> the name it was registered under
_pending: list[EntryPoint] | None = None  # entry points not loaded yet, once they were looked up
_broken: dict[str, str] = {}  # canonical name of an entry point -> why there is no scheme of that name


def canonical(name: str) -> str:
    """A name without what doesn't matter in it: case, `-`, `_`, spaces, and the endings _init and _initializer.

    >>> canonical("He_Normal_"), canonical("zeros-init"), canonical("RandomNormalInitializer")
    ('henormal', 'zeros', 'randomnormal')
    """
    key = name.lower().replace("_", "").replace("-", "").replace(" ", "")
    for ending in ("initializer", "init"):
        if key.endswith(ending) and key != ending:
            return key[:-len(ending)]
    return key


def add(name: str, cls: type[Scheme]) -> None:
    """Enter a class under the name that its configs carry."""
    _classes[canonical(name)] = cls
    _spelled[cls] = name


def name_of(cls: type[Any]) -> str:
    """The name that a class's configs carry: the registered one, or module:class, which no config is loaded from."""
    return _spelled.get(cls, f"{cls.__module__}:{cls.__qualname__}")


def find(name: str) -> type[Any] | None:
    """The class registered under a name, or None; packages that declare entry points are loaded at the first miss.

    A name whose package can't be loaded is warned about each time that it is asked for.
    """
    key = canonical(name)
    if key not in _classes:
        load_entry_points()
    if key in _broken and key not in _classes:
        warnings.warn(_broken[key], FaninWarning, stacklevel=2)
    return _classes.get(key)


def is_known(key: str) -> bool:
    """Whether a canonical name is registered, as far as entry points were loaded."""
    return key in _classes


def require(name: object) -> type[Any]:
    """The class that a config's `scheme` names.

    Raises:
        FaninKeyError: nothing is registered under that name.
    """
    cls = find(name) if isinstance(name, str) else None
    if cls is None:
        broken = problem(name) if isinstance(name, str) else None
        hint = broken or did_you_mean(name, _spelled.values())
        raise FaninKeyError(f"`scheme` must be a registered scheme (got {shown(name)}): {hint}")
    return cls


def problem(name: str) -> str | None:
    """Why a package that declares this name brings no scheme, if one does."""
    return _broken.get(canonical(name))


def load_entry_points() -> None:
    """Import what installed packages declare in the entry-point group `fanin.schemes`: name = "module:Class"."""
    global _pending
    if _pending is None:
        import importlib.metadata  # 10 ms that most imports of fanin need not pay

        _pending = list(importlib.metadata.entry_points(group=ENTRY_POINTS))
    while _pending:
        entry = _pending.pop()  # first: the package may look up names of fanin's while it is imported
        problem = _load(entry)
        if problem:
            _broken[canonical(entry.name)] = f"the entry point {entry.name!r} = {entry.value!r} {problem}"


def _load(entry: EntryPoint) -> str | None:
    """Enter what an entry point declares, or say what is wrong with it."""
    try:
        cls = entry.load()
    except (Exception, SystemExit) as error:  # a script may end itself
        return f"can't be loaded ({type(error).__name__}: {error}): repair or uninstall the package"
    if not isinstance(cls, type) or not hasattr(cls, "from_config"):
        return f"must be an Initializer class (got {shown(cls)})"
    if cls in _spelled:  # importing the module registered it
        return None
    if canonical(entry.name) in _classes:
        problem = "takes the name of a scheme that exists, which keeps it: rename it"
        warnings.warn(f"the entry point {entry.name!r} = {entry.value!r} {problem}", FaninWarning, stacklevel=4)
        return problem
    add(entry.name, cls)
    return None


def registered() -> list[str]:
    """The names of all scheme classes, as they were registered."""
    return list(_spelled.values())
