"""Names of schemes and presets, and the table of scheme classes that configs refer to."""

from .._errors import FaninKeyError, FaninRuntimeError, FaninTypeError, FaninValueError, did_you_mean

ENTRY_POINTS = "fanin.schemes"

_classes = {}  # canonical name -> class
_spelled = {}  # class -> the name it was registered under
_pending = None  # entry points not loaded yet, once they were looked up


def canonical(name):
    """A name without what doesn't matter in it: case, `-`, `_`, spaces, and the endings _init and _initializer.

    >>> canonical("He_Normal_"), canonical("zeros-init"), canonical("RandomNormalInitializer")
    ('henormal', 'zeros', 'randomnormal')
    """
    key = name.lower().replace("_", "").replace("-", "").replace(" ", "")
    for ending in ("initializer", "init"):
        if key.endswith(ending) and key != ending:
            return key[:-len(ending)]
    return key


def add(name, cls):
    """Enter a class under the name that its configs carry."""
    _classes[canonical(name)] = cls
    _spelled[cls] = name


def name_of(cls):
    """The name that a class's configs carry: the registered one, or module:class, which no config is loaded from."""
    return _spelled.get(cls, f"{cls.__module__}:{cls.__qualname__}")


def find(name):
    """The class registered under a name, or None; packages that declare entry points are loaded at the first miss."""
    key = canonical(name)
    if key not in _classes:
        load_entry_points()
    return _classes.get(key)


def is_known(key):
    """Whether a canonical name is registered, as far as entry points were loaded."""
    return key in _classes


def require(name):
    """The class that a config's `scheme` names.

    Raises:
        FaninKeyError: nothing is registered under that name.
    """
    cls = find(name) if isinstance(name, str) else None
    if cls is None:
        raise FaninKeyError(f"`scheme` must be a registered scheme (got {name!r}): "
                            f"{did_you_mean(name, _spelled.values())}")
    return cls


def load_entry_points():
    """Import what installed packages declare in the entry-point group `fanin.schemes`: name = "module:Class"."""
    global _pending
    if _pending is None:
        import importlib.metadata  # 10 ms that most imports of fanin need not pay

        _pending = list(importlib.metadata.entry_points(group=ENTRY_POINTS))
    while _pending:
        entry = _pending.pop()  # first, so that one that fails is reported once and keeps no other from loading
        try:
            cls = entry.load()
        except Exception as error:
            raise FaninRuntimeError(f"the entry point {entry.name!r} = {entry.value!r} must load "
                                    f"({type(error).__name__}: {error}): repair or uninstall the package") from error
        if not isinstance(cls, type) or not hasattr(cls, "from_config"):
            raise FaninTypeError(f"the entry point {entry.name!r} = {entry.value!r} must be an Initializer class "
                                 f"(got {cls!r})")
        if cls not in _spelled:  # importing the module may have registered it already
            if canonical(entry.name) in _classes:
                raise FaninValueError(f"the entry point {entry.name!r} = {entry.value!r} takes the name of a scheme "
                                      "that exists: rename it")
            add(entry.name, cls)


def registered():
    """The names of all scheme classes, as they were registered."""
    return list(_spelled.values())
