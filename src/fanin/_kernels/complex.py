"""Two words to one complex number: the modulus from the first word, the angle from the second."""

from typing import Any

from .device import device_function, fma, sqrt
from .normal import cossin, fold, minus_two_log, radius
from .polynomial import numbers
from .samplers import pair_sampler
from .uniform import unit


@pair_sampler
def complex_normal(xa: Any, xb: Any, mean: Any, scale: Any) -> Any:
    """mean + std·z with z complex normal, E|z|² = 1; the mean is real.

    Parameters, rounded once from float64 on the host: mean; scale = std/sqrt(2).
    """
    return _polar(radius(xa) * scale, xb, mean)


@pair_sampler
def disk(xa: Any, xb: Any, centre: Any, outer: Any) -> Any:
    """Uniform on the disk of radius `outer` around a real centre: modulus outer·sqrt(u), 0 <= u < 1.

    u = k·2**-24 (k·2**-53), k the word's leading bits. Parameters, rounded once from float64 on the host:
    centre = (low + high)/2; outer = (high - low)/2.
    """
    return _polar(outer * sqrt(unit(xa)), xb, centre)


@pair_sampler
def truncated_complex_normal(xa: Any, xb: Any, mean: Any, scale: Any, inside: Any, outside: Any, limit: Any) -> Any:
    """mean + std·z with z complex normal and |z| <= cut: modulus std·sqrt(-log(1 - u·inside)), never above `limit`.

    u = (xa + 1/2)·2**-32 (2**-64), the modulus increasing in it. Parameters, rounded once from float64 on the host:
    mean; scale = std/sqrt(2); inside = -expm1(-cut²), the probability of |z| <= cut; outside = exp(-cut²);
    limit = cut·std, rounded toward 0. cut from 1e-12 (1e-100) to inf: an infinite one has inside = 1, outside = 0,
    limit = inf. Relative error of the deviation 1e-6 (1e-14).
    """
    _, half, _, _, _, _ = numbers(mean)
    v, upper = fold(xa)
    below = fma(-v, inside, inside) if upper else v * inside  # u·inside
    near = below <= half
    # Further out 1 - u·inside = outside + (1 - u)·inside keeps every digit of a word near the top.
    tail = fma(v, inside, outside)
    modulus = sqrt(minus_two_log(below if near else tail, near)) * scale
    return _polar(modulus if modulus < limit else limit, xb, mean)


@device_function
def _polar(modulus: Any, xb: Any, centre: Any) -> Any:
    cosine, sine = cossin(xb)
    return fma(modulus, cosine, centre), modulus * sine
