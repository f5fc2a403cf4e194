"""STFT: the kernels of a convolution that is a short-time Fourier transform. No random numbers, so no scheme."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from typing_extensions import override

from ..._checks import choice, flag
from ..._checks import shape as check_shape
from ..._dtypes import FLOATING
from ..._errors import FaninRuntimeError, FaninTypeError, FaninValueError, a_type, shown
from . import _link
from ._base import Drawn
from ._constants import decode, encode

if TYPE_CHECKING:
    from ..._types import Array, DType, Shape

# Windows that are sums of cosines, a0 - a1·cos(t) + a2·cos(2t) - …, by their names in scipy.signal.windows. They work
# without scipy. Nuttall, "Some windows with very good sidelobe behavior", IEEE Trans. ASSP 29 (1981).
COSINES = {
    "boxcar": (1.0,),
    "hann": (0.5, 0.5),
    "hamming": (0.54, 0.46),
    "blackman": (0.42, 0.5, 0.08),
    "nuttall": (0.3635819, 0.4891775, 0.1365995, 0.0106411),
    "blackmanharris": (0.35875, 0.48829, 0.14128, 0.01168),
    "flattop": (0.21557895, 0.41663158, 0.277263158, 0.083578947, 0.006947368),
}


class STFT(Drawn):
    """The real or the imaginary half of a windowed Fourier basis, for a convolution that computes an STFT.

    Element [t, 0, f] of shape (T, 1, F//2 + 1) is window(t)·cos(-2π·t·f/F), or sin, over the norm of the window.

    Args:
        side: "real" (cosines) or "imag" (sines).
        window: a name of a window in `scipy.signal.windows`, which must be installed for names other than boxcar, hann,
            hamming, blackman, nuttall, blackmanharris and flattop; or T numbers; or None, which also means no scaling.
        scaling: "density", the window's L2 norm, "spectrum", its L1 norm, or None for 1.
        periodic: whether a window given by name is periodic or symmetric.

    Raises:
        FaninValueError: an argument out of its range; when drawn: a shape that isn't (T, 1, bins), numbers that aren't
            T, or a window that is zero everywhere.
        FaninTypeError: an argument of another type.
        FaninRuntimeError: a window that needs scipy, where scipy isn't installed.

    The phase is reduced modulo F as an integer and the rest computed in float64. Mended: Keras multiplies in the dtype,
    where float32 is off by 1e-4 for long frames; it loses a window of numbers when it loads a config, gives NaN for a
    single bin or a window of zeros, and the wrong shape for more than one channel.

    >>> STFT("real", "hann", "density", False)((128, 1, 513)).shape
    (128, 1, 513)
    """

    def __init__(self, side: str = "real", window: Any = "hann", scaling: str | None = "density",
                 periodic: bool = False) -> None:
        self.side: str = choice("side", side, ("real", "imag"))
        self.window: str | Array | None = _check_window(decode(window))
        self.scaling: str | None = None if scaling is None else choice("scaling", scaling, ("density", "spectrum"))
        self.periodic: bool = flag("periodic", periodic)

    @override
    def __call__(self, shape: Shape, dtype: DType | None = None) -> Any:
        """The kernel, for a shape (frame length, 1, number of bins) and a floating-point dtype."""
        dims, number = check_shape(shape), _link.standardize_dtype(dtype)
        if len(dims) != 3 or dims[1] != 1:
            raise FaninValueError(f"`shape` must be (frame length, 1, number of bins) for STFT (got {dims})")
        if number.name not in FLOATING:
            raise FaninValueError(f"`dtype` must be a floating-point type for STFT (got {number.name}): one of "
                                  f"{', '.join(FLOATING)}")
        frames, _, bins = dims
        period = max(1, 2 * (bins - 1))
        angles = -2 * np.pi * np.arange(period) / period
        waves = np.cos(angles) if self.side == "real" else np.sin(angles)
        kernel = waves[np.multiply.outer(np.arange(frames), np.arange(bins)) % period]
        if self.window is not None:
            kernel *= self._weights(frames)[:, np.newaxis]
        return _link.tensor(kernel.astype(number).reshape(dims))

    def _weights(self, frames: int) -> Array:
        """The window over its norm."""
        if isinstance(self.window, str):
            window = _named_window(self.window, frames, self.periodic)
        else:
            window = np.asarray(self.window)
            if window.shape != (frames,):
                raise FaninValueError(f"`window` must have as many numbers as the frame, {frames} (got "
                                      f"{window.shape[0]})")
        if self.scaling is None or not frames:
            return window
        norm = math.sqrt(np.sum(window**2)) if self.scaling == "density" else float(np.sum(np.abs(window)))
        if norm == 0:
            raise FaninValueError(f"`window` must not be zero everywhere when it is scaled (got "
                                  f"{shown(self.window, 100)} for a frame of {frames}): pass scaling=None, or a "
                                  "longer frame")
        return window / norm

    @override
    def get_config(self) -> dict[str, Any]:
        """The arguments; a window of numbers as Keras writes an array."""
        return {"side": self.side, "window": encode(self.window), "periodic": self.periodic, "scaling": self.scaling}


def _check_window(window: Any) -> str | Array | None:
    """None, a name that is known, or a vector of float64."""
    if window is None:
        return None
    if isinstance(window, str):
        _named_window(window, 1, False)
        return window
    try:
        numbers = np.asarray(_link.as_numpy(window), np.float64)
    except (TypeError, ValueError):
        raise FaninTypeError(f"`window` must be a name, numbers or None (got {shown(window, 100)}, "
                             f"{a_type(window)})") from None
    if numbers.ndim != 1 or not np.isfinite(numbers).all():
        raise FaninValueError(f"`window` must be a list of finite numbers (got {shown(window, 100)})")
    return numbers


def _named_window(name: str, frames: int, periodic: bool) -> Array:
    if name not in COSINES:
        return _scipy_window(name, frames, periodic)
    if frames <= 1:
        return np.ones(frames)
    t = np.linspace(-np.pi, np.pi, frames + periodic)[:frames]
    return np.sum([a * np.cos(k * t) for k, a in enumerate(COSINES[name])], axis=0)


def _scipy_window(name: str, frames: int, periodic: bool) -> Array:
    try:
        from scipy.signal import get_window
    except ModuleNotFoundError:
        raise FaninRuntimeError(f"`window` {name!r} needs scipy, which is not installed: pip install scipy, or use one "
                                f"of {', '.join(COSINES)}") from None
    try:
        return get_window(name, frames, periodic)
    except ValueError as error:
        raise FaninValueError(f"`window` must be a name in scipy.signal.windows that needs no parameter (got {name!r}: "
                              f"{error})") from None
