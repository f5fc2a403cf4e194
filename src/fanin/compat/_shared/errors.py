"""Exceptions that are fanin's and another system's at once, so that both systems' handlers catch them."""

from ..._errors import FaninTypeError, FaninValueError


class TorchValueError(FaninValueError, RuntimeError):
    """A value that torch's samplers refuse with a RuntimeError: a > b, a negative std, overflow."""


class TorchTypeError(FaninTypeError, NotImplementedError):
    """A tensor that torch has no sampler for, such as one of integers."""


class JittorAssertionError(FaninValueError, AssertionError):
    """A rank, mode or slope for which an `assert` fails in jittor."""
