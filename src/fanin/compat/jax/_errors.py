"""Exceptions that are fanin's and JAX's at once, so that handlers written for either catch them."""

from ..._errors import FaninTypeError, FaninValueError


class SeedOverflowError(FaninValueError, OverflowError):
    """An integer that JAX can't turn into one of its own width."""


class ShapeError(FaninValueError, TypeError):
    """A shape with a negative dimension."""


class UnsupportedError(FaninTypeError, NotImplementedError):
    """What JAX has not implemented."""
