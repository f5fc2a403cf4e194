"""What each tensor of a checkpoint gets: its place in the file and its row of the rules' table."""

from typing import Any, NamedTuple

from .._errors import FaninValueError
from .._initializers import Initializer
from ..rules import Parameter
from ._header import TensorInfo


class Draw(NamedTuple):
    """What one tensor gets: the rule that chose, the scheme, and the scheme's plan for this shape and dtype."""

    info: TensorInfo
    rule: str
    scheme: Initializer
    label: str  # the scheme as it is printed
    plan: Any


def assign(tensors, rules, layout="torch"):
    """A `Draw` for each tensor, with everything that can be wrong checked: rules, schemes, shapes, dtypes, ranges."""
    table = rules.assign([Parameter(info.name, info.shape, info.numpy_dtype, getattr(info, "layer", None))
                          for info in tensors], layout)
    for row in table:
        if row.scheme is None:
            raise FaninValueError(f"{row.parameter.name!r} must get values, since a checkpoint has none to keep (got "
                                  f"a tensor that is {row.note})")
    return [Draw(info, row.rule, row.scheme, row.label, row.plan) for info, row in zip(tensors, table, strict=True)]
