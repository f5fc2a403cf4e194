"""Which places of a module hold one and the same tensor, and the name that it is drawn and saved under."""

import sys

import numpy as np

from .._errors import FaninValueError
from ._places import modules
from ._sharded import is_sharded


def aliases(module, prefix, found):
    """{name: the canonical name} of the places whose tensor is drawn under another name.

    Canonical is the first place in module order, and of a transformers model the one that its checkpoints have.

    Raises:
        FaninValueError: a transformers model's weights are not tied though its config says so.
    """
    groups = {}
    for place in found:
        groups.setdefault(_identity(place), []).append(place.name)
    left_out = _left_out_of_checkpoints(module, prefix)
    tied = {}
    for names in groups.values():
        first = next((name for name in names if name not in left_out), names[0])
        tied |= {name: first for name in names if name != first}
    known = {place.name for place in found}
    broken = [f"{target} to {source}" for target, source in left_out.items()
              if {target, source} <= known and tied.get(target, target) != tied.get(source, source)]
    if broken:
        raise FaninValueError(f"`module` must have the ties that its config says ({', '.join(broken)}; `to_empty` "
                              "breaks ties): call its tie_weights(), or set config.tie_word_embeddings = False")
    return tied


def _identity(place):
    """Equal for places that hold one tensor, or several in exactly the same memory."""
    tensor = place.tensor
    if place.parametrized or tensor.is_meta or is_sharded(tensor) or not tensor.numel() or not _has_memory(tensor):
        return id(tensor)
    return tensor.device, tensor.data_ptr(), tensor.dtype, tuple(tensor.shape), tensor.stride()


def _has_memory(tensor):
    try:
        return tensor.data_ptr() != 0
    except RuntimeError:  # sparse, fake, or another subclass without memory of its own
        return False


def _left_out_of_checkpoints(module, prefix):
    """{target: source} of the weights that transformers ties: it saves the source."""
    modeling = sys.modules.get("transformers.modeling_utils")  # an object can be a model of it only if it is loaded
    if modeling is None:
        return {}
    found = {}
    for path, part in modules(module, prefix):
        if isinstance(part, modeling.PreTrainedModel) and hasattr(part, "get_expanded_tied_weights_keys"):
            keys = part.get_expanded_tied_weights_keys(all_submodels=False)
            found |= {path + target: path + source for target, source in keys.items()}
    return found


def check_apart(tensors):
    """FaninValueError for two tensors, of a list of (name, tensor), that share memory in part."""
    extents = []
    for name, tensor in tensors:
        if not (tensor.is_meta or is_sharded(tensor)) and tensor.numel() and _has_memory(tensor):
            memory = _Memory(tensor)
            extents.append((*np.lib.array_utils.byte_bounds(np.asarray(memory)), name, memory))
    extents.sort(key=lambda extent: extent[:2])
    before = []  # those that end after the start of the next one
    for start, end, name, memory in extents:
        before = [extent for extent in before if extent[0] > start]
        for _, other, another in before:
            if np.shares_memory(np.asarray(memory), np.asarray(another)):
                raise FaninValueError(f"`module` must have parameters that are tied wholly or not at all ({other} and "
                                      f"{name} share memory in part): copy one of them")
        before.append((end, name, memory))


class _Memory:
    """A tensor's addresses as numpy knows them; nothing is read, so they may be a GPU's."""

    def __init__(self, tensor):
        size = tensor.element_size()
        self.__array_interface__ = {
            "version": 3, "shape": tuple(tensor.shape), "typestr": f"|V{size}", "data": (tensor.data_ptr(), True),
            "strides": tuple(stride * size for stride in tensor.stride())}
