"""Forms of a module in which its layers are no longer what they were: scripted, traced, exported.

What their parameters mean can't be told any more: a transposed convolution's fans, an embedding's padding row.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from .._errors import FaninTypeError, listed
from ._loaded import classes


def check_form(module: nn.Module) -> None:
    """FaninTypeError for parameters whose layers are of no known type any more."""
    lost = [*_lost(module)]
    if lost:
        kind = lost[0][0]
        raise FaninTypeError(f"`module` must have layers that say what their parameters are (got "
                             f"{listed(name for _, name in lost)} in {kind}): initialize the plain module before it is "
                             "scripted, traced or exported")


def _lost(module: nn.Module) -> Iterator[tuple[str, str]]:
    """(the form, the name) of each such parameter."""
    traced = classes("torch.fx.graph_module", "GraphModule")
    unflattened = classes("torch.export.unflatten", "InterpreterModule", "UnflattenedModule")
    without_layers = torch.jit.ScriptModule, *traced, *unflattened
    if not any(isinstance(part, without_layers) for part in module.modules()):
        return
    inside: set[int] = set()  # what is in a traced module
    for path, part in module.named_modules():
        if isinstance(part, traced):
            inside.update(map(id, part.modules()))
        if isinstance(part, torch.jit.ScriptModule):
            form = "a torch.jit module"
        elif isinstance(part, unflattened):
            form = "an exported module"
        elif isinstance(part, traced) or (type(part) is nn.Module and id(part) in inside):
            form = "a torch.fx graph"  # whose layers of torch's own are still there, and hold what isn't asked about
        else:
            continue
        yield from ((form, f"{path}.{key}".lstrip(".")) for key, _ in part.named_parameters(recurse=False))
