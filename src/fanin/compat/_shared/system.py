"""What the modules of `fanin.compat` share: a system's presets, its words for arguments, and its exceptions."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..._checks import nonnegative
from ..._drawing.arrays import ACCEPTED, is_fake, require_plain, writable
from ..._dtypes import WHOLE
from ..._errors import FaninError, FaninTypeError, FaninValueError, a_type, shown
from ..._initializers import Registry
from .gains import TORCH
from .gains import gain as gain_of
from .generators import source

if TYPE_CHECKING:
    from ..._initializers import Initializer
    from ..._types import Array, Dims, DType, Index, Shape
    from .types import Generator, T

PRESETS_KEPT = 256
_PLAIN = {bool, int, float, str}  # types whose repr tells all values apart, -0.0 from 0.0 too
_ARGUMENT = re.compile(r"`(\w+)`|\b([a-z_]+)=")


class System:
    """One system: what its functions mean, in its words and with its exceptions.

    Args:
        profile: its name in the registry, whose presets have its defaults and layout.
        target: its word for the array that is filled.
        words: what its arguments are called where a scheme has another name for them.
        refused, unsupported: what it raises for parameters that nothing can be drawn with, and for arrays that can't be
            filled; a FaninValueError and a FaninTypeError as well.
        misshapen: what it raises for a rank that a function doesn't take, and for a mode; a FaninValueError as well.
        nonlinearities: those whose gains it knows.
    """

    def __init__(self, profile: str, target: str, words: Mapping[str, str],
                 refused: type[FaninValueError] = FaninValueError, unsupported: type[FaninTypeError] = FaninTypeError,
                 misshapen: type[FaninValueError] = FaninValueError, nonlinearities: Sequence[str] = TORCH) -> None:
        self.profile = profile
        self.target = target
        self.words = words
        self.refused = refused
        self.unsupported = unsupported
        self.misshapen = misshapen
        self.nonlinearities = nonlinearities
        self._target_words = {**words, "out": target, "dtype": f"{target}.dtype", "shape": f"{target}.shape"}
        self._presets: dict[Any, Initializer] = {}

    def preset(self, name: str, **parameters: Any) -> Initializer:
        """What the system means by a name, with some parameters changed. Kept, since a scheme keeps its plans."""
        parameters = {key: _number(value) for key, value in parameters.items()}
        plain = all(type(value) in _PLAIN and (type(value) is not int or value.bit_length() <= 64)
                    for value in parameters.values())
        key = (name, repr(parameters)) if plain else None
        scheme = self._presets.get(key)
        if scheme is None:
            try:
                scheme = Registry.get(name, profile=self.profile, **parameters)
            except FaninError as error:
                raise self._its_own(error, FaninTypeError, self.words) from None
            if plain:
                if len(self._presets) >= PRESETS_KEPT:
                    self._presets.clear()
                self._presets[key] = scheme
        return scheme

    def fill(self, target: T, scheme: Initializer, generator: Generator = None,
             part: tuple[Dims, Index] | None = None) -> T:
        """Fill an array in place with a scheme's draw, or with a part of one: (the whole's shape, which part).

        Returns the array. A torch tensor on the meta device, or a fake one, has no elements: all is checked, nothing is
        drawn.
        """
        shape, seed = self.shape_of(target), source(generator)
        try:
            if _has_no_memory(target):
                scheme.describe(part[0] if part else shape, target.dtype)  # type: ignore[attr-defined]
            elif part:
                scheme.shard(*part, out=target, seed=seed)
            else:
                scheme(shape, out=target, seed=seed)
        except FaninError as error:
            raise self._its_own(error, self.unsupported, self._target_words) from None
        return target

    def opened(self, target: Any, scheme: Initializer, shape: Dims) -> tuple[Any, Callable[[], None]] | None:
        """A view to fill with what a scheme says, and a function to call then; None for an array without memory.

        The scheme is not drawn: it checks its parameters against the whole's shape, and the dtype.
        """
        try:
            opened = None if _has_no_memory(target) else writable(target)
            scheme.describe(shape, opened[0].dtype if opened else target.dtype)
        except FaninError as error:
            raise self._its_own(error, self.unsupported, self._target_words) from None
        return opened

    def place(self, target: T, scheme: Initializer) -> T:
        """Fill an array in place with a scheme that draws nothing, so that no stream moves. Returns the array."""
        return self.fill(target, scheme, 0)

    def new(self, shape: Shape, dtype: DType, scheme: Initializer, generator: Generator = None) -> Array:
        """A new array, drawn with a scheme."""
        seed = source(generator)
        try:
            return scheme(shape, dtype, seed=seed)
        except FaninError as error:
            raise self._its_own(error, FaninTypeError, self.words) from None

    def constant(self, value: Any, dtype: object, word: str = "value") -> Initializer:
        """A scheme for one number, which integers keep without its fraction, as in C, and bool as True or False."""
        value = _number(value)
        if not isinstance(value, (bool, int, float, complex)):
            raise FaninTypeError(f"`{word}` must be a number (got {shown(value, 100)}, {a_type(value)})")
        dtype = str(dtype).removeprefix("torch.")
        if dtype == "bool":
            value = bool(value)
        elif dtype in WHOLE and isinstance(value, float) and math.isfinite(value):
            value = math.trunc(value)
        return self.preset("constant", value=value)

    def scale(self, gain: Any, check: Callable[[str, Any], float] = nonnegative) -> float:
        """VarianceScaling's scale for a factor of the std: the factor's square."""
        try:
            gain = check("gain", _number(gain))
        except FaninError as error:
            raise self._its_own(error, FaninTypeError, self.words) from None
        return gain * gain

    def shape_of(self, target: Any) -> Dims:
        """The array's shape, a tuple."""
        try:
            require_plain(target)
        except FaninError as error:
            raise self._its_own(error, self.unsupported, self._target_words) from None
        try:
            return tuple(target.shape)
        except (AttributeError, TypeError):
            raise FaninTypeError(f"`{self.target}` must be {ACCEPTED} (got {shown(target, 100)}, "
                                 f"{a_type(target)})") from None

    def require_rank(self, shape: Sequence[int], least: int = 2, most: int | None = None,
                     hint: str = "draw a vector uniform or normal", name: str | None = None) -> None:
        """Raise the system's exception where the rank of a shape is not between `least` and `most`."""
        if len(shape) < least or most is not None and len(shape) > most:
            wanted = f"at least {least}" if most is None else str(least) if most == least else f"{least} to {most}"
            raise self.misshapen(f"`{name or self.target}` must have {wanted} dimensions (got shape {tuple(shape)}): "
                                 f"{hint}")

    def mode(self, mode: Any) -> str:
        """"fan_in" or "fan_out", from any mixture of cases."""
        if not isinstance(mode, str):
            raise FaninTypeError(f"`mode` must be a string (got {shown(mode)}, {a_type(mode)})")
        if mode.lower() not in ("fan_in", "fan_out"):
            raise self.misshapen(f"`mode` must be 'fan_in' or 'fan_out' (got {shown(mode)})")
        return mode.lower()

    def gain(self, nonlinearity: str, slope: float | None, word: str = "param",
             unknown: type[FaninError] = FaninValueError) -> float:
        """The factor of the std that one of its nonlinearities asks for.

        `word` is what a function calls leaky_relu's slope, `unknown` what it raises for another nonlinearity.
        """
        return gain_of(nonlinearity, slope, self.nonlinearities, word, unknown)

    def xavier(self, name: str, target: Any, gain: Any) -> Initializer:
        """The scheme of one of its xavier functions, for an array that has fans."""
        self.require_rank(self.shape_of(target))
        return self.preset(name, scale=self.scale(gain))

    def kaiming(self, name: str, target: Any, slope: Any, mode: Any, nonlinearity: str, word: str = "a",
                unknown: type[FaninError] = FaninValueError) -> Initializer:
        """The scheme of one of its kaiming functions, for an array that has fans; `word` and `unknown` as in `gain`."""
        mode = self.mode(mode)
        self.require_rank(self.shape_of(target))
        gain = self.gain(nonlinearity, slope, word, unknown)
        return self.preset(name, scale=gain * gain, mode=mode)

    def _its_own(self, error: FaninError, type_error: type[FaninTypeError], words: Mapping[str, str]) -> FaninError:
        """A scheme's error as the system's: its exception, its names of the arguments."""
        def spelled(found: re.Match[str]) -> str:
            return f"`{words.get(found[1], found[1])}`" if found[1] else f"{words.get(found[2], found[2])}="

        text = _ARGUMENT.sub(spelled, str(error))
        if isinstance(error, FaninTypeError):
            return type_error(text)
        return self.refused(text) if isinstance(error, FaninValueError) else type(error)(text)


def _has_no_memory(target: Any) -> bool:
    """Whether this is a tensor of torch's on the meta device, or a fake one."""
    return getattr(target, "is_meta", False) or is_fake(target)


def _number(value: Any) -> Any:
    """A Python number for a scalar of numpy, torch or another array library; all else as it is."""
    return value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value
