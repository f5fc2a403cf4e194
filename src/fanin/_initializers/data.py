"""A scheme as data: its parameters, its config, == and hash. It is closed once its constructor has returned."""

from __future__ import annotations

import abc
import inspect
from collections.abc import Hashable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from .._errors import (
    FaninAttributeError,
    FaninTypeError,
    FaninValueError,
    a_type,
    hint,
    listed,
    shown,
    with_article,
)
from . import codec, parameters, schemes
from .values import PLAIN, as_python, freeze, is_data, key, thaw

if TYPE_CHECKING:
    from typing import Self

T = TypeVar("T", bound="Scheme")

FINAL: dict[str, Any] = {}  # what fanin calls of every scheme, which a class can't have otherwise: base.py fills it


class SchemeType(abc.ABCMeta):
    """The type of scheme classes: it reads their constructors when they are defined, and closes what they make."""

    def __init__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **keywords: Any) -> None:
        super().__init__(name, bases, namespace, **keywords)
        if not is_own(cls):  # asking fanin's own would take 3 ms of `import fanin`
            _check_final(cls)
        if not inspect.isabstract(cls):
            parameters.signature(cls)
        for method in ("__eq__", "__hash__", "__repr__"):
            if method not in namespace:  # @dataclass replaces those that the class itself doesn't have
                setattr(cls, method, getattr(cls, method))

    def __setattr__(cls, name: str, value: Any) -> None:
        if name in ("__setattr__", "__delattr__") and "__dataclass_params__" in vars(cls):
            return  # frozen=True: schemes are frozen already, and say so in their own words
        super().__setattr__(name, value)
        if name == "__init__":  # from a decorator such as @dataclass
            parameters.signature(cls)

    def __call__(cls: type[T], *args: Any, **keywords: Any) -> T:  # type: ignore[misc]  # a metaclass's self
        if is_own(cls):  # which store what they are given, in forms that stay
            scheme = super().__call__(*args, **keywords)  # type: ignore[misc]
            scheme._close()
            return scheme
        args = tuple(map(as_python, args))  # what copies are given, which numpy would compute with otherwise
        keywords = {name: as_python(value) for name, value in keywords.items()}
        scheme = super().__call__(*args, **keywords)  # type: ignore[misc]
        changed = parameters.changed(scheme, args, keywords)
        scheme._close()
        if changed or scheme._derived():
            _check_copy(scheme)
        return scheme

    @property
    def __signature__(cls) -> inspect.Signature:
        """The constructor's, where `inspect` would take that of `__call__`."""
        return inspect.Signature(list(parameters.signature(cls).values()))


def _check_final(cls: type[Any]) -> None:
    for method, final in FINAL.items():
        if inspect.getattr_static(cls, method) is not final:
            raise FaninTypeError(f"{cls.__name__} must not define {method!r}, which every scheme has already, and has "
                                 "alike: say in `plan` what to draw, or choose another name")


def is_own(cls: type[Any]) -> bool:
    """Whether a class is fanin's: all that it makes and plans depends on its parameters alone."""
    return cls.__module__.partition(".")[0] == "fanin"


class Scheme(metaclass=SchemeType):
    """What a scheme is besides what it draws: parameters that don't change, compared by value, and a config."""

    _closed = False
    _key: Hashable = None
    _plans: dict[Any, Any] | None = None

    def _close(self) -> None:
        own = vars(self)
        for name in parameters.signature(type(self)):
            if type(own.get(name, self)) in PLAIN:
                continue
            value = parameters.value(self, name)
            kept = freeze(value)
            try:
                object.__setattr__(self, name, kept)  # also of a class attribute, which may change
            except AttributeError:  # a property
                if kept is not value:
                    raise FaninTypeError(f"`{name}` of {type(self).__name__} must be stored as what doesn't change "
                                         f"(got {a_type(value)} behind a property)") from None
        own.pop("_plans", None)  # made by the constructor, perhaps before it was done
        own["_closed"] = True

    def __setattr__(self, name: str, value: Any) -> None:
        if not self._closed:
            if name in FINAL or name == "plan":
                raise FaninAttributeError(f"`{name}` must not be set by {type(self).__name__}.__init__, since every "
                                          "scheme has it already: choose another name")
            object.__setattr__(self, name, value)
            return
        known = parameters.signature(type(self))
        if name in known:
            raise FaninAttributeError(f"`{name}` of {a_type(self)} can be set only by its constructor: use "
                                      f"replace({name}=...) to make another")
        meant = hint(name, known, spell=lambda each: f"replace({each}=...)")
        raise FaninAttributeError(f"`{name}` is no parameter of {type(self).__name__}, which has "
                                  f"{listed(known) or 'none'}, and schemes are immutable{meant}")

    def __delattr__(self, name: str) -> None:
        raise FaninAttributeError(f"`{name}` of {a_type(self)} can't be deleted: schemes are immutable")

    def get_config(self) -> dict[str, Any]:
        """A flat dict that JSON can hold: the scheme's name, the config's version, every constructor parameter.

        Raises:
            FaninTypeError: a parameter that JSON has no form for.

        >>> from fanin import Normal
        >>> Normal(std=0.02).get_config()
        {'scheme': 'normal', 'version': 1, 'mean': 0.0, 'std': 0.02}
        """
        cls = type(self)
        return {"scheme": schemes.name_of(cls), "version": codec.VERSION,
                **{name: codec.encode(name, value, parameters.kind(cls, name))
                   for name, value in parameters.values(self).items()}}

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Self:
        """The scheme that a config describes. Missing parameters take their defaults; no code in a config is run.

        Args:
            config: what `get_config` returned, also after a trip through JSON, YAML or OmegaConf.

        Raises:
            FaninKeyError: the scheme is not registered.
            FaninValueError: a parameter that the scheme does not have, or a config of a newer version.

        >>> from fanin import Initializer
        >>> Initializer.from_config({"scheme": "normal", "version": 1, "std": 0.02})
        Normal(mean=0.0, std=0.02)
        """
        if not isinstance(config, Mapping):
            raise FaninTypeError(f"`config` must be a dict (got {shown(config)}, {a_type(config)})")
        found: type[Any] = cls
        if inspect.isabstract(cls) or config.get("scheme", schemes.name_of(cls)) != schemes.name_of(cls):
            found = schemes.require(config.get("scheme"))
        if not issubclass(found, cls):
            raise FaninValueError(f"`config` must describe {with_article(cls.__name__)} (got the scheme "
                                  f"{config['scheme']!r})")
        _check_version(config.get("version", codec.VERSION))
        given = {name: value for name, value in config.items() if name not in ("scheme", "version")}
        found._check_names(given)
        try:
            given = {name: codec.decode(name, value, Scheme.from_config, parameters.kind(found, name))
                     for name, value in given.items()}
        except RecursionError:
            raise FaninValueError(f"`config` must be nested less deeply (got {shown(given)})") from None
        return found(**given)

    @classmethod
    def _check_names(cls, given: Mapping[str, Any]) -> None:
        known = parameters.defaults(cls)
        unknown = [name for name in given if name not in known]
        if unknown:
            raise FaninValueError(f"`config` must hold only parameters of {schemes.name_of(cls)}, which are "
                                  f"{listed(known) or 'none'} (got {listed(map(shown, unknown))})")
        missing = [name for name, default in known.items() if default is parameters.REQUIRED and name not in given]
        if missing:
            raise FaninValueError(f"`config` must hold {listed(map(repr, missing))}, for which "
                                  f"{schemes.name_of(cls)} has no default (got {shown(dict(given))})")

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        from . import pydantic as _pydantic  # only if pydantic asks

        return _pydantic.core_schema(cls)

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, Any]:
        from . import pydantic as _pydantic

        return _pydantic.json_schema(cls, handler.mode)

    def replace(self, **changes: Any) -> Self:
        """A copy with some parameters changed.

        Raises:
            FaninTypeError: a parameter that the scheme does not have.

        >>> from fanin import Normal
        >>> Normal(std=0.02).replace(mean=1.0)
        Normal(mean=1.0, std=0.02)
        """
        kept = self._arguments()
        unknown = [name for name in changes if name not in kept]
        if unknown:
            raise FaninTypeError(f"`replace` takes parameters of {type(self).__name__}, which are "
                                 f"{listed(kept) or 'none'} (got {listed(map(shown, unknown))})")
        return type(self)(**(kept | changes))

    __replace__ = replace  # copy.replace

    def _derived(self) -> dict[str, Any]:
        """What a constructor has stored besides the parameters."""
        known = parameters.signature(type(self))
        return {name: value for name, value in vars(self).items() if name not in known and name not in FINAL}

    def _arguments(self) -> dict[str, Any]:
        """What makes an equal scheme when the class is called with it."""
        return {name: thaw(value) for name, value in parameters.values(self).items()}

    def _value(self) -> Hashable:
        if self._key is None:
            vars(self)["_key"] = tuple((name, key(name, value)) for name, value in parameters.values(self).items())
        return self._key

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Scheme) or type(other) is not type(self):
            return NotImplemented
        return self is other or self._value() == other._value()

    def __hash__(self) -> int:
        return hash((type(self), self._value()))

    def __repr__(self) -> str:
        arguments = (f"{name}={codec.expression(value)}" for name, value in parameters.values(self).items())
        return f"{type(self).__name__}({', '.join(arguments)})"

    def __reduce__(self) -> tuple[Any, ...]:
        # The class by name and the parameters: survives a parameter added later, and holds no compiled function.
        return rebuild, (type(self), {"version": codec.VERSION, **self._arguments()})


def _check_copy(scheme: Scheme) -> None:
    """See that a copy, which is made of the parameters that a scheme stores, has all that the scheme has.

    A constructor may store what it is given in another form (an int as a float), if it keeps that form.
    """
    cls, stored = type(scheme), parameters.values(scheme)
    try:
        copy = type.__call__(cls, **scheme._arguments())
        copy._close()
    except Exception as error:  # of a user's constructor
        kept = ", ".join(f"`{name}` {shown(value)}" for name, value in stored.items())
        raise FaninTypeError(f"{cls.__name__}.__init__ must take what it stores, for copies, pickles and configs hold "
                             f"that (it stored {kept}, and says of it: {error!r})") from error
    for name, value in stored.items():
        again = parameters.value(copy, name)
        if _differ(name, value, again):
            raise FaninTypeError(f"{cls.__name__}.__init__ must store `{name}` as it is given, for copies, pickles and "
                                 f"configs hold what is stored (it stored {shown(value)}, and of that {shown(again)}): "
                                 "compute what depends on it in `plan`")
    again_derived = copy._derived()
    for name, value in scheme._derived().items():
        again = again_derived.get(name)
        if _differ(name, value, again):
            raise FaninTypeError(f"{cls.__name__}.__init__ must make `{name}` of the parameters that it stores, for "
                                 f"copies, pickles and configs hold these alone (it made {shown(value)}, and for a "
                                 f"copy {shown(again)}): compute it in `plan`, or store what it depends on")


def _differ(name: str, one: Any, other: Any) -> bool:
    """Whether two values are data that differs; of other objects nothing is known."""
    return is_data(one) and is_data(other) and key(name, one) != key(name, other)


def rebuild(cls: type[Scheme], state: dict[str, Any]) -> Scheme:
    """Unpickle. Classes, also those of parameters, are found by their qualified names: unregistered ones work too."""
    _check_version(state["version"])
    given = {name: value for name, value in state.items() if name != "version"}
    cls._check_names(given)
    return cls(**given)


# The name that pickles carry, wherever this file lies.
rebuild.__module__, rebuild.__qualname__, rebuild.__name__ = "fanin", "_rebuild", "_rebuild"


def _check_version(version: Any) -> None:
    if not isinstance(version, int) or isinstance(version, bool) or not 1 <= version <= codec.VERSION:
        raise FaninValueError(f"`version` of a config must be {codec.VERSION} or older (got {shown(version)}): a newer "
                              "fanin wrote it, upgrade to read it")
