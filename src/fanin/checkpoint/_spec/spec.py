"""`Spec`: what every kind of model description is read into."""

from typing import NamedTuple

import numpy as np

from ... import _errors
from ..._checks import shape as check_shape
from ..._dtypes import as_dtype
from ..._errors import FaninError, FaninValueError
from .._header import TensorInfo, dtype_code


class Spec(NamedTuple):
    """What a model says about its tensors, in its own order, and its metadata.

    Attributes:
        tensors: name, shape, dtype of each, and its layer where that is known.
        metadata: strings for a safetensors file's metadata.
        notes: one line each on what a reader decided and its user should know, such as what was left out.
    """

    tensors: list[TensorInfo]
    metadata: dict[str, str]
    notes: tuple[str, ...] = ()


def of_parameters(parameters, notes=()):
    """The `Spec` of a list of `fanin.rules.Parameter`."""
    tensors = []
    for parameter in parameters:
        try:
            dtype = parameter.dtype  # which may be one that fanin doesn't draw, float8, and converts
            code = dtype_code((dtype if isinstance(dtype, np.dtype) else as_dtype(dtype)).name)
            tensors.append(TensorInfo(parameter.name, check_shape(parameter.shape), code, parameter.layer))
        except FaninError as error:
            raise type(error)(f"{parameter.name!r}: {error}") from None
    return checked(tensors, {}, notes)


def checked(tensors, metadata, notes=()):
    """A `Spec` whose names a safetensors file can hold, each once; FaninValueError otherwise."""
    seen = set()
    for text in [*metadata, *metadata.values(), *(info.name for info in tensors)]:
        _check_text(text)
    for info in tensors:
        if info.name in seen:
            raise FaninValueError(f"names must be unique (got {info.name!r} twice)")
        seen.add(info.name)
    if "__metadata__" in seen:
        raise FaninValueError("no tensor may be named '__metadata__', which safetensors keeps for itself: rename it")
    if not tensors:
        raise FaninValueError("must name at least one tensor (it names none)")
    return Spec(list(tensors), metadata, tuple(notes))


def listed(names):
    """The first few names, and how many more there are."""
    return _errors.listed(names, at_most=5)


def _check_text(text):
    try:
        text.encode()
    except UnicodeEncodeError:  # JSON can escape half a surrogate pair, UTF-8 cannot hold it
        raise FaninValueError(f"names and metadata must be valid Unicode (got {text!r})") from None
