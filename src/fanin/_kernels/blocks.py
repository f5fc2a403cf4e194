"""From a block number to the numbers that an array stores: one Philox call, a sampler, a mask, one rounding.

Arrays are runs of *numbers*: a real element is one number, a complex element two. A block of four words makes four
4-byte (or narrower) numbers or two 8-byte ones, so number n lies in block n // 4 or n // 2, and that numbering is the
contract's (section 2) for every dtype. Each function below returns a device function made for one sampler.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from .device import device_function
from .philox import HALF, LOW, philox
from .samplers import open_unit_double, open_unit_single


def make_block(sampler: Any, wide: bool, mask: Callable[..., Any] | None, per_element: int, finish: Callable[...,
               Any]) -> Callable[..., Any]:
    """block(b, k0, k1, s0, s1, params, mask_params) -> the four (two, when `wide`) numbers of block b, as stored."""
    if sampler.takes == "place":
        return (_two_places if wide else _four_places)(sampler, finish)
    words = _double_words if wide else _single_words
    if sampler.takes == "pair":
        numbers = (_one_pair if wide else _two_pairs)(sampler)
    else:
        numbers = (_two_words if wide else _four_words)(_number_of_word(sampler, wide))
    masked = _no_mask if mask is None else (_masked_two if wide else _masked_four)(mask, np.uint64(per_element))
    rounded = _rounded_two(finish) if wide else _rounded_four(finish)

    @device_function
    def block(b: Any, k0: Any, k1: Any, s0: Any, s1: Any, params: Any, mask_params: Any) -> Any:
        values = numbers(words(b, k0, k1, s0, s1), params)
        return rounded(masked(values, b, k0, k1, s0, s1, mask_params))

    return block


def make_number(sampler: Any, wide: bool, finish: Callable[..., Any]) -> Callable[..., Any]:
    """number(x, params) -> the number that a sampler makes of the word x, as it is stored."""
    unrounded = _number_of_word(sampler, wide)

    @device_function
    def number(x: Any, params: Any) -> Any:
        return finish(unrounded(x, *params))

    return number


def _number_of_word(sampler: Any, wide: bool) -> Callable[..., Any]:
    """number(x, *params) for a sampler of one word, or of u."""
    if sampler.takes == "word":
        return sampler
    unit = open_unit_double if wide else open_unit_single

    @device_function
    def number(x: Any, *params: Any) -> Any:
        return sampler(unit(x), *params)

    return number


@device_function
def _single_words(b: Any, k0: Any, k1: Any, s0: Any, s1: Any) -> Any:
    w0, w1, w2, w3 = philox(b, b >> HALF, s0, s1, k0, k1)
    return np.uint32(w0 & LOW), np.uint32(w1 & LOW), np.uint32(w2 & LOW), np.uint32(w3 & LOW)


@device_function
def _double_words(b: Any, k0: Any, k1: Any, s0: Any, s1: Any) -> Any:
    w0, w1, w2, w3 = philox(b, b >> HALF, s0, s1, k0, k1)
    return (w0 & LOW) | (w1 << HALF), (w2 & LOW) | (w3 << HALF)


def _four_words(sampler: Callable[..., Any]) -> Callable[..., Any]:
    @device_function
    def numbers(words: Any, params: Any) -> Any:
        x0, x1, x2, x3 = words
        return sampler(x0, *params), sampler(x1, *params), sampler(x2, *params), sampler(x3, *params)

    return numbers


def _two_pairs(sampler: Callable[..., Any]) -> Callable[..., Any]:
    @device_function
    def numbers(words: Any, params: Any) -> Any:
        x0, x1, x2, x3 = words
        a, b = sampler(x0, x1, *params)
        c, d = sampler(x2, x3, *params)
        return a, b, c, d

    return numbers


def _two_words(sampler: Callable[..., Any]) -> Callable[..., Any]:
    @device_function
    def numbers(words: Any, params: Any) -> Any:
        x0, x1 = words
        return sampler(x0, *params), sampler(x1, *params)

    return numbers


def _one_pair(sampler: Callable[..., Any]) -> Callable[..., Any]:
    @device_function
    def numbers(words: Any, params: Any) -> Any:
        x0, x1 = words
        return sampler(x0, x1, *params)

    return numbers


def _four_places(sampler: Callable[..., Any], finish: Callable[..., Any]) -> Callable[..., Any]:
    @device_function
    def number(i: Any, params: Any) -> Any:
        return finish(np.float32(sampler(i, *params)))

    @device_function
    def block(b: Any, k0: Any, k1: Any, s0: Any, s1: Any, params: Any, mask_params: Any) -> Any:
        i = b * np.uint64(4)
        return (number(i, params), number(i + np.uint64(1), params), number(i + np.uint64(2), params),
                number(i + np.uint64(3), params))

    return block


def _two_places(sampler: Callable[..., Any], finish: Callable[..., Any]) -> Callable[..., Any]:
    @device_function
    def block(b: Any, k0: Any, k1: Any, s0: Any, s1: Any, params: Any, mask_params: Any) -> Any:
        i = b * np.uint64(2)
        return finish(sampler(i, *params)), finish(sampler(i + np.uint64(1), *params))

    return block


@device_function
def _no_mask(values: Any, b: Any, k0: Any, k1: Any, s0: Any, s1: Any, mask_params: Any) -> Any:
    return values


def _masked_four(mask: Callable[..., Any], per_element: np.uint64) -> Callable[..., Any]:
    four = np.uint64(4)

    @device_function
    def masked(values: Any, b: Any, k0: Any, k1: Any, s0: Any, s1: Any, mask_params: Any) -> Any:
        v0, v1, v2, v3 = values
        n = b * four
        zero = type(v0)(0)
        return (v0 if mask(n // per_element, k0, k1, s0, s1, *mask_params) else zero,
                v1 if mask((n + np.uint64(1)) // per_element, k0, k1, s0, s1, *mask_params) else zero,
                v2 if mask((n + np.uint64(2)) // per_element, k0, k1, s0, s1, *mask_params) else zero,
                v3 if mask((n + np.uint64(3)) // per_element, k0, k1, s0, s1, *mask_params) else zero)

    return masked


def _masked_two(mask: Callable[..., Any], per_element: np.uint64) -> Callable[..., Any]:
    two = np.uint64(2)

    @device_function
    def masked(values: Any, b: Any, k0: Any, k1: Any, s0: Any, s1: Any, mask_params: Any) -> Any:
        v0, v1 = values
        n = b * two
        zero = type(v0)(0)
        return (v0 if mask(n // per_element, k0, k1, s0, s1, *mask_params) else zero,
                v1 if mask((n + np.uint64(1)) // per_element, k0, k1, s0, s1, *mask_params) else zero)

    return masked


def _rounded_four(finish: Callable[..., Any]) -> Callable[..., Any]:
    @device_function
    def rounded(values: Any) -> Any:
        v0, v1, v2, v3 = values
        return finish(v0), finish(v1), finish(v2), finish(v3)

    return rounded


def _rounded_two(finish: Callable[..., Any]) -> Callable[..., Any]:
    @device_function
    def rounded(values: Any) -> Any:
        v0, v1 = values
        return finish(v0), finish(v1)

    return rounded
