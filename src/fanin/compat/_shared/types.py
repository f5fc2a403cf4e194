"""Names for what the functions of `fanin.compat` take: for type checkers and readers, never imported at run time."""

from typing import Any, SupportsIndex, TypeAlias, TypeVar

import numpy.typing as npt

from ..._seeding import Stream

T = TypeVar("T")  # an array, which a function in place returns
Generator: TypeAlias = Stream | SupportsIndex | Any | None  # a seed or a stream; Any is a torch.Generator
Numbers: TypeAlias = float | npt.ArrayLike
