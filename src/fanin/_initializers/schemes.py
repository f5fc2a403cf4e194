"""Names of schemes and presets, and the table of scheme classes that configs refer to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._callers import warn
from .._errors import ALL_NAMES, FaninKeyError, hint, shown

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from .data import Scheme

ENTRY_POINTS = "fanin.schemes"

_classes: dict[str, type[Any]] = {}  # by canonical name
_spelled: dict[type[Any], str] = {}  # class -> the name it was registered under
_pending: list[EntryPoint] | None = None  # entry points not loaded yet, once they were looked up
_broken: dict[str, str] = {}  # canonical name of an entry point -> why there is no scheme of that name
_unreadable: list[str] = []  # what is wrong with packages whose entry points can't even be listed


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
        warn(_broken[key])
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
        written = name.lower() if isinstance(name, str) else ""
        meant = f": {broken}" if broken else hint(written, list(_spelled.values()), otherwise=ALL_NAMES)
        raise FaninKeyError(f"`scheme` must be a registered scheme (got {shown(name)}){meant}")
    return cls


def problem(name: str) -> str | None:
    """Why a package that declares this name brings no scheme, if one does."""
    return _broken.get(canonical(name))


def problems() -> list[str]:
    """What is wrong with installed packages that declare schemes, a sentence for each, which names the package."""
    load_entry_points()
    return [*_unreadable, *_broken.values()]


def load_entry_points() -> None:
    """Import what installed packages declare in the entry-point group `fanin.schemes`: name = "module:Class"."""
    global _pending
    if _pending is None:
        _pending = _declared()
    while _pending:
        entry = _pending.pop()  # first: the package may look up names of fanin's while it is imported
        problem = _load(entry)
        if problem:
            _broken[canonical(entry.name)] = f"{_titled(entry)} {problem}"


def _declared() -> list[EntryPoint]:
    """The entry points of all installed packages; one whose own can't be read hides those of no other."""
    from importlib import metadata  # 10 ms that most imports of fanin need not pay

    try:
        return list(metadata.entry_points(group=ENTRY_POINTS))
    except Exception:  # anything can stand in a file
        found = []
    for package in metadata.distributions():
        try:
            found += package.entry_points.select(group=ENTRY_POINTS)
        except Exception as error:
            _unreadable.append(f"the entry points of the package {package.name} {package.version} can't be read "
                               f"({type(error).__name__}: {error}): repair or uninstall it")
    return found


def _titled(entry: EntryPoint) -> str:
    package = f" of the package {entry.dist.name} {entry.dist.version}" if entry.dist else ""
    return f"the entry point {entry.name!r} = {entry.value!r}{package}"


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
        warn(f"{_titled(entry)} {problem}")
        return problem
    add(entry.name, cls)
    return None


def registered() -> list[str]:
    """The names of all scheme classes, as they were registered."""
    return list(_spelled.values())
