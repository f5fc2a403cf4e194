"""`fanin.audit`: what is in this checkpoint?"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal

from .._checks import choice
from ..rules import Rules
from ..rules._facts import LAYOUTS
from .differences import differences
from .entries import Describer
from .examine import examine
from .findings import find
from .report import Audit
from .sources import nbytes, open_source

if TYPE_CHECKING:
    from ..rules._names import RulesLike


def audit(source: str | os.PathLike[str] | Mapping[str, Any], rules: RulesLike | None = None, *,
          layout: Literal["torch", "jax"] = "torch", progress: Callable[[int, int], object] | None = None) -> Audit:
    """Find the law (distribution) of each tensor in a checkpoint, what its scale equals, and what looks odd.

    Each tensor is read once, a piece at a time, in constant memory. The laws are constant, uniform, normal, normal cut
    at ±k σ, orthogonal, identity, dirac, sparse, sinusoids, arange; "none" of these, as for trained weights; or too
    "few" values to tell. They are recognized by tests of the histogram, of rows and columns, and of the places of
    zeros, which don't depend on bits, so files of any framework will do.

    Args:
        source: a safetensors file, a folder or an index of several; or a state dict, a mapping from names to arrays of
            any library (flax's nested variables too).
        rules: also compare law and scale with these rules, as in `Rules.of`.
        layout: the order of axes if the layer is unknown: "torch" is (out, in, ...), "jax" (..., in, out).
        progress: called with the bytes read so far, and those of all.

    Returns:
        An `Audit`: print it, show it in a notebook, `to_dicts()`, `plot()`, `to_html(path)`.

    Raises:
        FaninTypeError, FaninValueError: a source that is neither, or rules that don't fit it.
        OSError: a file that can't be read.

    Of 1,000 tensors drawn by one of the laws, with 4,096 elements or more, at most one gets a wrong name. A cut that
    can't be seen in so few elements (beyond 3.1 σ for 4,096) is called normal, and the entry's note says which cuts
    can't be seen. Weights that training has hardly changed still follow the law that they were drawn by.

    >>> import fanin
    >>> he = fanin.Registry.get("he_normal")
    >>> print(fanin.audit({"fc.weight": he((512, 256), seed=0, name="fc.weight")})[0].scale)
    0.0884 = √(2/256) = he_normal
    """
    opened = open_source(source)
    choice("layout", layout, tuple(LAYOUTS))
    parameters = [tensor.parameter for tensor in opened.tensors]
    table = None if rules is None else Rules.of(rules).with_config(opened.config).assign(parameters, layout)
    describer = Describer(parameters, layout)
    entries, done, total = [], 0, sum(map(nbytes, parameters))
    for tensor in opened.tensors:
        entries.append(describer.entry(tensor.parameter, examine(tensor), tensor.place))
        done += nbytes(tensor.parameter)
        if progress is not None:
            progress(done, total)
    findings = find(entries, opened.config)
    if table is not None:
        findings = [*differences(entries, {row.parameter.name: row for row in table}), *findings]
    return Audit(entries, findings, opened.title)
