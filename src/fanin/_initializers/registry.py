"""`Registry`: from a name or a config to a scheme."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NoReturn, TypeAlias, TypeVar

from .._checks import flag
from .._errors import ALL_NAMES, FaninKeyError, FaninTypeError, FaninValueError, a_type, hint, shown
from . import codec
from . import parameters as _parameters
from . import schemes as _schemes
from .base import Initializer
from .kinds import UNKNOWN, Kind
from .presets import ALIASES, PRESETS, UNSERVED, Preset, numbers_for
from .profiles import OTHER_NAMES, PROFILES
from .schemes import canonical

if TYPE_CHECKING:
    from .names import Name, Profile

T = TypeVar("T")
_Found: TypeAlias = Preset | Initializer | type[Initializer] | None


class _Registry:
    """Presets by name, profiles by framework, schemes by config, and what users register.

    >>> from fanin import Registry
    >>> Registry.get("normal", std=0.02)
    Normal(mean=0.0, std=0.02)
    >>> Registry.get("jax:normal")
    Normal(mean=0.0, std=0.01)
    >>> "He-Normal" in Registry
    True
    """

    def __init__(self) -> None:
        self._custom: dict[str, tuple[str, Initializer | type[Initializer]]] = {}  # by canonical name
        self._custom_aliases: dict[str, list[str]] = {}  # name -> its aliases
        self._bare: dict[str, tuple[str, Preset]] = _table(PRESETS)
        for name, aliases in ALIASES.items():
            self._bare |= {canonical(alias): (name, PRESETS[name]) for alias in aliases}
        self._profiles = {profile: _table(presets) for profile, presets in PROFILES.items()}
        self._unserved = {canonical(name): reason for name, reason in UNSERVED.items()}

    def get(self, name: Name | str | Mapping[str, Any] | Initializer, *, profile: Profile | str | None = None,
            **parameters: Any) -> Initializer:
        """The scheme for a name, a dict or a config; parameters given here replace its own.

        Args:
            name: a preset's name or alias, in any spelling; "profile:name"; a dict of a name and parameters, as in
                rule files: {"name": "normal", "std": 0.02}, also with `profile`; a config (the dict of `get_config`,
                which has "scheme"); or a scheme, of which a changed copy is returned if parameters are given.
            profile: use the meaning of the name in one framework, with its defaults and layout: torch, torch03,
                jittor, flint, storch, jax (also flax) or keras (also tf).
            parameters: of the scheme, instead of the preset's own; other frameworks' spellings are understood (stddev,
                minval, gain and a for scaled presets, …). `gain` and `nonlinearity` take activations as
                `fanin.math.gain` does, "silu" or a function; profiles of torch and its relatives use torch's table.

        Returns:
            An `Initializer`.

        Raises:
            FaninKeyError: an unknown name or profile; the message has close matches.
            FaninTypeError: an unknown parameter, or one that the preset needs is missing.
            FaninValueError: a parameter out of its range.

        >>> from fanin import Registry
        >>> Registry.get("kaiming_normal", a=2).scale  # a, a leaky rectifier's slope: 2/(1 + a²)
        0.4
        >>> round(Registry.get("xavier_normal", nonlinearity="silu").scale, 4)  # 1.6765²
        2.8108
        >>> Registry.get({"scheme": "normal", "version": 1, "std": 0.02})
        Normal(mean=0.0, std=0.02)
        >>> Registry.get({"name": "normal", "profile": "keras", "mean": 1.0})
        Normal(mean=1.0, std=0.05)
        """
        if isinstance(name, Mapping) and "name" in name and "scheme" not in name:
            return self._of_table(name, profile, parameters)
        if profile is not None and isinstance(name, (Initializer, Mapping)):
            raise FaninTypeError(f"`profile` must be None for a scheme or a config, which no framework renames (got "
                                 f"{shown(profile)})")
        if isinstance(name, Initializer):
            return name.replace(**parameters) if parameters else name
        if isinstance(name, Mapping):
            scheme = Initializer.from_config(name)
            return scheme.replace(**parameters) if parameters else scheme
        if not isinstance(name, str):
            raise FaninTypeError(f"`name` must be a string, a config or an Initializer (got {shown(name, 100)}, "
                                 f"{a_type(name)})")
        spelled, found = self._find(name, profile)
        if found is None:
            self._refuse(name, profile)
        if isinstance(found, Initializer):
            return found.replace(**parameters) if parameters else found
        if isinstance(found, type):
            return _construct(found, spelled, parameters)
        prefix, colon, _ = name.partition(":")
        return found.make(spelled, numbers_for(parameters, canonical(prefix) if colon else profile))

    def _of_table(self, table: Mapping[str, Any], profile: str | None, parameters: dict[str, Any]) -> Initializer:
        table = {str(key): value for key, value in table.items()}
        name, own = table.pop("name"), table.pop("profile", None)
        if not isinstance(name, str):
            raise FaninTypeError("`name` must be a string in a table of a name and parameters; a config has `scheme` "
                                 f"(got {shown(name)})")
        if profile is not None and own is not None:
            raise FaninTypeError(f"`profile` must be given once (got {shown(profile)} and, in the table, {shown(own)})")
        profile = own if profile is None else profile
        cls = _class_of(self._find(name, profile)[1])
        try:
            table = {key: codec.decode(key, value, Initializer.from_config, _kind(cls, key))
                     for key, value in table.items()}
        except RecursionError:
            raise FaninValueError(f"`name` must be nested less deeply (got {shown(table)})") from None
        return self.get(name, profile=profile, **(table | parameters))

    def register(self, name: str, *aliases: str, override: bool = False) -> Callable[[T], T]:
        """Register a scheme under a name: a decorator for an `Initializer` class, or a call with an instance.

        A class's configs contain the name, so `from_config` finds it; an instance becomes a preset. A class with the
        same module and qualified name as the registered one replaces it, as when a notebook's cell is run again.

        Args:
            name, aliases: strings; their spelling doesn't matter afterwards.
            override: whether a name that is taken may be replaced.

        Returns:
            A decorator that returns what it is given.

        Raises:
            FaninValueError: a name is taken. FaninTypeError: not an Initializer class or instance.

        >>> from fanin import Initializer, Normal, Registry
        >>> @Registry.register("doc_small", "doc_tiny")
        ... class Small(Initializer):
        ...     def plan(self, spec):
        ...         return Normal(0.0, 1e-3).plan(spec)
        >>> Registry.get("doc_tiny")
        Small()
        """
        names = (name, *aliases)
        for each in names:
            if not isinstance(each, str):
                raise FaninTypeError(f"`name` must be a string (got {shown(each)}, {a_type(each)})")
            if not canonical(each) or ":" in each:
                raise FaninValueError(f"`name` must hold a letter or digit and no colon (got {shown(each)})")
            # a class of the user's may be the same one again: `decorate` tells, which has seen it
            before = self._custom.get(canonical(each), (each, None))[1]
            if not flag("override", override) and not isinstance(before, type):
                self._require_free(each)

        def decorate(given: T) -> T:
            scheme: Any = given
            for each in names:
                if not override and not self._is_same(each, scheme):
                    self._require_free(each)
            if isinstance(scheme, type) and issubclass(scheme, Initializer):
                _schemes.add(name, scheme)
            elif not isinstance(scheme, Initializer):
                raise FaninTypeError(f"register takes an Initializer class or instance (got {shown(scheme)})")
            for other in [other for other in self._custom_aliases if canonical(other) == canonical(name)]:
                del self._custom_aliases[other]  # the same name in another spelling, overridden
            self._custom_aliases[name] = list(aliases)
            for each in names:
                self._custom[canonical(each)] = (name, scheme)
            return given

        return decorate

    def names(self, profile: Profile | str | None = None) -> list[str]:
        """All names, sorted, without their aliases; with a profile, that framework's."""
        if profile is not None:
            return sorted(spelled for spelled, _ in self._profile(profile).values())
        _schemes.load_entry_points()
        others = (spelled for spelled in (*PRESETS, *_schemes.registered()) if canonical(spelled) not in self._custom)
        return sorted({*self._custom_aliases, *others})

    def aliases(self, name: str) -> list[str]:
        """The other names of a bare name, sorted."""
        if not isinstance(name, str):
            raise FaninTypeError(f"`name` must be a string (got {shown(name)}, {a_type(name)})")
        spelled, found = self._find(name, None)
        if found is None:
            self._refuse(name, None)
        if spelled in self._custom_aliases:
            return sorted(self._custom_aliases[spelled])
        return sorted(ALIASES.get(spelled, ()))

    def profiles(self) -> list[str]:
        """The names of all profiles, sorted."""
        return sorted(self._profiles)

    def __contains__(self, name: object) -> bool:
        try:
            return isinstance(name, str) and self._find(name, None)[1] is not None
        except FaninKeyError:
            return False

    def __iter__(self) -> Iterator[str]:
        return iter(self.names())

    def __repr__(self) -> str:
        return f"<Registry of {len(self.names())} names>"

    def _profile(self, profile: str) -> dict[str, tuple[str, Preset]]:
        if not isinstance(profile, str):
            raise FaninTypeError(f"`profile` must be a string or None (got {shown(profile)}, {a_type(profile)})")
        key = canonical(profile)
        key = OTHER_NAMES.get(key, key)
        if key not in self._profiles:
            raise FaninKeyError(f"`profile` must be one of {', '.join(self.profiles())} (got {shown(profile)})")
        return self._profiles[key]

    def _is_taken(self, key: str) -> bool:
        return key in self._custom or key in self._bare or _schemes.is_known(key)

    def _require_free(self, name: str) -> None:
        # not `_find`: it may load entry points, the very module perhaps that is registering
        if self._is_taken(canonical(name)):
            raise FaninValueError(f"`name` must be free (got {name!r}, which is taken): choose another, or pass "
                                  "override=True")

    def _is_same(self, name: str, scheme: object) -> bool:
        """Whether a name is that of this very class, defined again: a notebook's cell was run a second time."""
        _, before = self._custom.get(canonical(name), (name, None))
        return isinstance(scheme, type) and isinstance(before, type) and (
            (before.__module__, before.__qualname__) == (scheme.__module__, scheme.__qualname__))

    def _find(self, name: str, profile: str | None) -> tuple[str, _Found]:
        """(name as registered, preset or class or instance), or (name, None)."""
        prefix, colon, rest = name.partition(":")
        if colon:
            if profile is not None and self._profile(profile) != self._profile(prefix):
                raise FaninValueError(f"`profile` must agree with the name's own (got {shown(profile)} for {name!r})")
            name, profile = rest, prefix
        key = canonical(name)
        if profile is not None:
            return self._profile(profile).get(key, (name, None))
        if key in self._custom:
            return self._custom[key]
        if key in self._bare and name not in UNSERVED:
            return self._bare[key]
        return name, _schemes.find(name)

    def _refuse(self, name: str, profile: str | None) -> NoReturn:
        prefix, colon, rest = name.partition(":")
        if colon:
            name, profile = rest, prefix
        if profile is None and canonical(name) in self._unserved:
            reason = UNSERVED.get(name) or self._unserved[canonical(name)]
            raise FaninKeyError(f"`name` must be one that a scheme serves (got {name!r}: {reason})")
        problem = _schemes.problem(name) if profile is None else None
        if problem is not None:
            raise FaninKeyError(f"`name` must be one that an installed package brings (got {name!r}): {problem}")
        known = {canonical(spelled): spelled for spelled in self.names(profile)}
        if profile is None:
            known |= {canonical(alias): alias for aliases in ALIASES.values() for alias in aliases}
        where = "" if profile is None else f" of profile {shown(profile)}"
        meant = hint(canonical(name), known, spell=lambda key: repr(known[key]),
                     otherwise=ALL_NAMES)
        raise FaninKeyError(f"`name` must be a registered name{where} (got {shown(name)}){meant}")


def _table(presets: Mapping[str, Preset]) -> dict[str, tuple[str, Preset]]:
    return {canonical(name): (name, preset) for name, preset in presets.items()}


def _construct(cls: type[Initializer], name: str, parameters: dict[str, Any]) -> Initializer:
    known = _parameters.defaults(cls)
    unknown = [key for key in parameters if key not in known]
    missing = [key for key, default in known.items() if default is _parameters.REQUIRED and key not in parameters]
    if unknown:
        raise FaninTypeError(f"{name!r} takes the parameters {', '.join(known) or 'none'} (got {shown(unknown[0])})")
    if missing:
        raise FaninTypeError(f"{name!r} needs a value for `{missing[0]}`: pass {missing[0]}=...")
    return cls(**parameters)


def _class_of(found: _Found) -> type[Initializer] | None:
    if isinstance(found, Preset):
        return found.scheme
    return found if found is None or isinstance(found, type) else type(found)


def _kind(cls: type[Initializer] | None, name: str) -> Kind:
    return _parameters.kind(cls, name) if cls is not None and name in _parameters.signature(cls) else UNKNOWN


Registry: _Registry = _Registry()
"""Presets by name, profiles by framework, schemes by config, and what users register: `Registry.get("he_normal")`."""
