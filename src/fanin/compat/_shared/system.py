"""What the modules of `fanin.compat` share: a system's presets, drawn in that system's manners."""

import math
import re

from ..._checks import nonnegative
from ..._drawing import arrays as _arrays
from ..._dtypes import WHOLE
from ..._errors import FaninError, FaninTypeError, FaninValueError
from ..._initializers import Registry
from .generators import source

PRESETS_KEPT = 256
_PLAIN = {bool, int, float, str}  # types whose repr tells all values apart, -0.0 from 0.0 too
_ARGUMENT = re.compile(r"`(\w+)`|\b([a-z_]+)=")


class System:
    """One system's manners.

    Args:
        profile: its name in the registry, whose presets have its defaults and layout.
        target: its word for the array that is filled.
        words: what its arguments are called where a scheme has another name for them.
        refused, unsupported: what it raises for parameters that nothing can be drawn with, and for arrays that can't be
            filled; a FaninValueError and a FaninTypeError as well.
        misshapen: what it raises for a rank that a function doesn't take, and for a mode; a FaninValueError as well.
    """

    def __init__(self, profile, target, words, refused=FaninValueError, unsupported=FaninTypeError,
                 misshapen=FaninValueError):
        self.profile, self.target, self.words = profile, target, words
        self.refused, self.unsupported, self.misshapen = refused, unsupported, misshapen
        self._target_words = {**words, "out": target, "dtype": f"{target}.dtype", "shape": f"{target}.shape"}
        self._presets = {}

    def preset(self, name, **parameters):
        """What the system means by a name, with some parameters changed. Kept, since a scheme keeps its plans."""
        parameters = {key: _number(value) for key, value in parameters.items()}
        plain = all(type(value) in _PLAIN for value in parameters.values())
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

    def fill(self, target, scheme, generator=None):
        """Fill an array in place with a scheme's draw. Returns the array.

        A torch tensor on the meta device has no elements: all is checked, nothing is drawn.
        """
        shape, seed = self.shape_of(target), source(generator)
        try:
            if getattr(target, "is_meta", False):
                scheme.describe(shape, target.dtype)
            else:
                scheme(shape, out=target, seed=seed)
        except FaninError as error:
            raise self._its_own(error, self.unsupported, self._target_words) from None
        return target

    def place(self, target, scheme):
        """Fill an array in place with a scheme that draws nothing, so that no stream moves. Returns the array."""
        return self.fill(target, scheme, 0)

    def new(self, shape, dtype, scheme, generator=None):
        """A new array, drawn with a scheme."""
        seed = source(generator)
        try:
            return scheme(shape, dtype, seed=seed)
        except FaninError as error:
            raise self._its_own(error, FaninTypeError, self.words) from None

    def constant(self, value, dtype, word="value"):
        """A scheme for one number, which integers keep without its fraction, as in C, and bool as True or False."""
        value = _number(value)
        if not isinstance(value, (bool, int, float, complex)):
            raise FaninTypeError(f"`{word}` must be a number (got {value!r:.100}, a {type(value).__name__})")
        dtype = str(dtype).removeprefix("torch.")
        if dtype == "bool":
            value = bool(value)
        elif dtype in WHOLE and isinstance(value, float) and math.isfinite(value):
            value = math.trunc(value)
        return self.preset("constant", value=value)

    def scale(self, gain, check=nonnegative):
        """VarianceScaling's scale for a factor of the std: the factor's square."""
        try:
            gain = check("gain", _number(gain))
        except FaninError as error:
            raise self._its_own(error, FaninTypeError, self.words) from None
        return gain * gain

    def shape_of(self, target):
        """The array's shape, a tuple."""
        try:
            return tuple(target.shape)
        except (AttributeError, TypeError):
            raise FaninTypeError(f"`{self.target}` must be {_arrays.ACCEPTED} (got {target!r:.100}, a "
                                 f"{type(target).__name__})") from None

    def require_rank(self, shape, least=2, most=None, hint="draw a vector uniform or normal", name=None):
        """Raise the system's exception where the rank of a shape is not between `least` and `most`."""
        if len(shape) < least or most is not None and len(shape) > most:
            wanted = f"at least {least}" if most is None else least if most == least else f"{least} to {most}"
            raise self.misshapen(f"`{name or self.target}` must have {wanted} dimensions (got shape {tuple(shape)}): "
                                 f"{hint}")

    def mode(self, mode):
        """"fan_in" or "fan_out", from any mixture of cases."""
        if not isinstance(mode, str):
            raise FaninTypeError(f"`mode` must be a string (got {mode!r}, a {type(mode).__name__})")
        if mode.lower() not in ("fan_in", "fan_out"):
            raise self.misshapen(f"`mode` must be 'fan_in' or 'fan_out' (got {mode!r})")
        return mode.lower()

    def _its_own(self, error, type_error, words):
        """A scheme's error as the system's: its exception, its names of the arguments."""
        def spelled(found):
            return f"`{words.get(found[1], found[1])}`" if found[1] else f"{words.get(found[2], found[2])}="

        text = _ARGUMENT.sub(spelled, str(error))
        if isinstance(error, FaninTypeError):
            return type_error(text)
        return self.refused(text) if isinstance(error, FaninValueError) else type(error)(text)


def _number(value):
    """A Python number for a scalar of numpy, torch or another array library; all else as it is."""
    return value.item() if getattr(value, "ndim", None) == 0 and hasattr(value, "item") else value
