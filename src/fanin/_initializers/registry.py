"""`Registry`: from a name or a config to a scheme."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from .._checks import flag
from .._errors import FaninKeyError, FaninTypeError, FaninValueError
from . import codec
from . import parameters as _parameters
from . import schemes as _schemes
from .base import Initializer
from .presets import ALIASES, PRESETS, UNSERVED
from .profiles import PROFILES
from .schemes import canonical

T = TypeVar("T")


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

    def __init__(self):
        self._custom = {}  # canonical name -> (name, class or instance)
        self._custom_aliases = {}  # name -> its aliases
        self._bare = _table(PRESETS)
        for name, aliases in ALIASES.items():
            self._bare |= {canonical(alias): (name, PRESETS[name]) for alias in aliases}
        self._profiles = {profile: _table(presets) for profile, presets in PROFILES.items()}
        self._unserved = {canonical(name): reason for name, reason in UNSERVED.items()}

    def get(self, name: str | Mapping[str, Any] | Initializer, *, profile: str | None = None,
            **parameters: Any) -> Initializer:
        """The scheme that a name, a table or a config stands for, with some parameters changed.

        Args:
            name: a preset's name or alias, in any spelling; "profile:name"; a table of a name and parameters, as rule
                files have it: {"name": "normal", "std": 0.02}, `profile` may be one of them; a config (`get_config`'s
                dict, which has "scheme"); or a scheme, which is returned, changed if parameters are given.
            profile: what one framework means by the name, with its defaults and layout: torch, torch03, jittor, flint,
                storch, jax (also flax) or keras.
            parameters: of the scheme, overriding the preset's; other frameworks' spellings are understood (stddev,
                minval, gain and a for scaled presets, …).

        Returns:
            An `Initializer`.

        Raises:
            FaninKeyError: an unknown name or profile; the message has close matches.
            FaninTypeError: an unknown parameter, or one that the preset needs is missing.
            FaninValueError: a parameter out of its range.

        >>> from fanin import Registry
        >>> Registry.get("kaiming_normal", a=2).scale  # a, a leaky rectifier's slope: 2/(1 + a²)
        0.4
        >>> Registry.get({"scheme": "normal", "version": 1, "std": 0.02})
        Normal(mean=0.0, std=0.02)
        >>> Registry.get({"name": "normal", "profile": "keras", "mean": 1.0})
        Normal(mean=1.0, std=0.05)
        """
        if isinstance(name, Mapping) and "name" in name and "scheme" not in name:
            return self._of_table(name, profile, parameters)
        if profile is not None and isinstance(name, (Initializer, Mapping)):
            raise FaninTypeError(f"`profile` must be None for a scheme or a config, which no framework renames (got "
                                 f"{profile!r})")
        if isinstance(name, Initializer):
            return name.replace(**parameters) if parameters else name
        if isinstance(name, Mapping):
            scheme = Initializer.from_config(name)
            return scheme.replace(**parameters) if parameters else scheme
        if not isinstance(name, str):
            raise FaninTypeError(f"`name` must be a string, a config or an Initializer (got {name!r:.100}, a "
                                 f"{type(name).__name__})")
        spelled, found = self._find(name, profile)
        if found is None:
            self._refuse(name, profile)
        if isinstance(found, Initializer):
            return found.replace(**parameters) if parameters else found
        if isinstance(found, type):
            return _construct(found, spelled, parameters)
        return found.make(spelled, parameters)

    def _of_table(self, table, profile, parameters):
        table = {str(key): codec.decode(key, value, Initializer.from_config) for key, value in table.items()}
        name, own = table.pop("name"), table.pop("profile", None)
        if not isinstance(name, str):
            raise FaninTypeError("`name` must be a string in a table of a name and parameters; a config has `scheme` "
                                 f"(got {name!r})")
        if profile is not None and own is not None:
            raise FaninTypeError(f"`profile` must be given once (got {profile!r} and, in the table, {own!r})")
        return self.get(name, profile=own if profile is None else profile, **(table | parameters))

    def register(self, name: str, *aliases: str, override: bool = False) -> Callable[[T], T]:
        """Register a scheme under a name: a decorator for an `Initializer` class, or a call with an instance.

        A class's configs carry the name, so `from_config` finds it; an instance becomes a preset.

        Args:
            name, aliases: strings; their spelling doesn't matter afterwards.
            override: whether a name that is taken may be taken over.

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
                raise FaninTypeError(f"`name` must be a string (got {each!r}, a {type(each).__name__})")
            if not canonical(each) or ":" in each:
                raise FaninValueError(f"`name` must hold a letter or digit and no colon (got {each!r})")
            # not `_find`: it may load entry points, the very module perhaps that is registering
            if not flag("override", override) and self._is_taken(canonical(each)):
                raise FaninValueError(f"`name` must be free (got {each!r}, which is taken): choose another, or pass "
                                      "override=True")

        def decorate(scheme):
            is_class = isinstance(scheme, type) and issubclass(scheme, Initializer)
            if not is_class and not isinstance(scheme, Initializer):
                raise FaninTypeError(f"register takes an Initializer class or instance (got {scheme!r})")
            if is_class:
                _parameters.signature(scheme)  # refuses constructors that no config could describe
                _schemes.add(name, scheme)
            for other in [other for other in self._custom_aliases if canonical(other) == canonical(name)]:
                del self._custom_aliases[other]  # the same name in another spelling, overridden
            self._custom_aliases[name] = list(aliases)
            for each in names:
                self._custom[canonical(each)] = (name, scheme)
            return scheme

        return decorate

    def names(self, profile: str | None = None) -> list[str]:
        """All names, sorted, without their aliases; with a profile, that framework's."""
        if profile is not None:
            return sorted(spelled for spelled, _ in self._profile(profile).values())
        _schemes.load_entry_points()
        others = (spelled for spelled in (*PRESETS, *_schemes.registered()) if canonical(spelled) not in self._custom)
        return sorted({*self._custom_aliases, *others})

    def aliases(self, name: str) -> list[str]:
        """The other names of a bare name, sorted."""
        spelled, found = self._find(name, None)
        if found is None:
            self._refuse(name, None)
        return sorted(self._custom_aliases.get(spelled, ALIASES.get(spelled, ())))

    def profiles(self) -> list[str]:
        """The names of all profiles, sorted."""
        return sorted(self._profiles)

    def __contains__(self, name):
        try:
            return isinstance(name, str) and self._find(name, None)[1] is not None
        except FaninKeyError:
            return False

    def __iter__(self):
        return iter(self.names())

    def __repr__(self):
        return f"<Registry of {len(self.names())} names>"

    def _profile(self, profile):
        if not isinstance(profile, str):
            raise FaninTypeError(f"`profile` must be a string or None (got {profile!r}, a {type(profile).__name__})")
        key = canonical(profile)
        if key not in self._profiles:
            raise FaninKeyError(f"`profile` must be one of {', '.join(self.profiles())} (got {profile!r})")
        return self._profiles[key]

    def _is_taken(self, key):
        return key in self._custom or key in self._bare or _schemes.is_known(key)

    def _find(self, name, profile):
        """(name as registered, preset or class or instance), or (name, None)."""
        prefix, colon, rest = name.partition(":")
        if colon:
            if profile is not None and self._profile(profile) != self._profile(prefix):
                raise FaninValueError(f"`profile` must agree with the name's own (got {profile!r} for {name!r})")
            name, profile = rest, prefix
        key = canonical(name)
        if profile is not None:
            return self._profile(profile).get(key, (name, None))
        if key in self._custom:
            return self._custom[key]
        if key in self._bare:
            return self._bare[key]
        return name, _schemes.find(name)

    def _refuse(self, name, profile):
        prefix, colon, rest = name.partition(":")
        if colon:
            name, profile = rest, prefix
        if profile is None and canonical(name) in self._unserved:
            reason = self._unserved[canonical(name)]
            raise FaninKeyError(f"`name` must be one that a scheme serves (got {name!r}: {reason})")
        known = {canonical(spelled): spelled for spelled in self.names(profile)}
        if profile is None:
            known |= {canonical(alias): alias for aliases in ALIASES.values() for alias in aliases}
        import difflib  # only for messages

        close = [known[key] for key in difflib.get_close_matches(canonical(name), known, n=3, cutoff=0.6)]
        where = "" if profile is None else f" of profile {profile!r}"
        hint = f"did you mean {' or '.join(map(repr, close))}?" if close else "Registry.names() lists what is known"
        raise FaninKeyError(f"`name` must be a registered name{where} (got {name!r}): {hint}")


def _table(presets):
    return {canonical(name): (name, preset) for name, preset in presets.items()}


def _construct(cls, name, parameters):
    known = _parameters.defaults(cls)
    unknown = [key for key in parameters if key not in known]
    missing = [key for key, default in known.items() if default is _parameters.REQUIRED and key not in parameters]
    if unknown:
        raise FaninTypeError(f"{name!r} takes the parameters {', '.join(known) or 'none'} (got {unknown[0]!r})")
    if missing:
        raise FaninTypeError(f"{name!r} needs a value for `{missing[0]}`: pass {missing[0]}=...")
    return cls(**parameters)


Registry = _Registry()
