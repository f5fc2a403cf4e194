"""What `fanin init SPEC` takes: names, shapes and dtypes of a model's tensors, and their layers where those are known.

A safetensors file or its header, a Hugging Face folder, index or config, an ONNX file, a torch module, a JSON table.
"""

from __future__ import annotations

import errno
import os
import re
import sys
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ..._errors import FaninTypeError, FaninValueError, shown
from ...rules import Parameter
from .._index import is_index
from .config import CONFIG, has_config, is_config, read_config, with_neighbours
from .folder import has_weights, read_folder, read_index
from .load import load
from .names import untold
from .spec import Spec, of_parameters
from .tables import parse, with_noted_layers


def read_spec(source: Any) -> Spec:
    """Read the names, shapes, dtypes and layers of a model's tensors, in its own order; no weights are read.

    Args:
        source: a safetensors file, or just the beginning of one with its header; a folder with `model.safetensors`, or
            with an index and the files that it lists, or the index itself (a `config.json` of transformers beside any
            of these tells the layers); such a `config.json`, or a folder that has it and no weights: transformers
            builds the model on the meta device, never by remote code; an ONNX file (`*.onnx`), whose nodes tell the
            layers; `package.module:name` or `path/to/file.py:name`, a torch module or a function without arguments
            that returns one, called under `torch.device("meta")`; a JSON table `{name: {"shape": [...], "dtype":
            "F32"}}`, where `layer` may be a third entry (it may be a header's JSON, `data_offsets` and all); or,
            instead of a path, a torch module, a list of `fanin.rules.Parameter`, or a `Spec`, which is returned.

    Returns:
        A `Spec`: its tensors (name, shape, dtype, layer), metadata, and notes on what was left out.

    Raises:
        FaninError: what it holds is wrong, contradictory or not supported; the message begins with the path.
        FaninRuntimeError: ONNX files need onnx, modules need torch, configs transformers.
        OSError: a file that can't be read.

    Code runs only if `source` names a module or function. In a folder, `model.safetensors` is preferred to the index,
    as in transformers; other than there, the index must agree with the files' headers.

    >>> import json, os, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "model.json")
    ...     with open(path, "w") as file:
    ...         json.dump({"conv.weight": {"shape": [8, 2, 3], "dtype": "BF16",
    ...                                    "layer": {"types": ["Conv1d"], "layout": "oi*", "groups": 2}}}, file)
    ...     conv = read_spec(path).tensors[0]
    >>> conv.shape, conv.dtype.name, conv.fans()
    ((8, 2, 3), 'bfloat16', Fans(fan_in=6, fan_out=12))
    """
    if not isinstance(source, (str, os.PathLike)):
        return _of_object(source)
    source = os.fspath(source)
    if os.path.isdir(source):
        if has_config(source) and not has_weights(source):
            return read_config(os.path.join(source, CONFIG))
        return with_neighbours(read_folder(source), source)
    if not os.path.exists(source):
        from . import module as _module

        if _module.is_reference(source):
            return _module.read_module(source)
        if re.fullmatch(r"[\w.-]+/[\w.-]+", source):
            raise FileNotFoundError(errno.ENOENT, "No such file or folder (fetch a model of the Hugging Face hub with "
                                    "hf download first)", source)
    if source.lower().endswith(".onnx"):
        from . import onnx as _onnx

        return replace(_onnx.read_onnx(source), sources=(source,))
    if source.endswith(".py"):
        raise FaninValueError(f"{source}: must come with what builds the model in it: {source}:FUNCTION")
    table, binary = load(source)
    if binary:
        return with_neighbours(with_noted_layers(source, parse(source, table, binary)), os.path.dirname(source))
    if is_index(table):
        return with_neighbours(read_index(source, table), os.path.dirname(source))
    if is_config(table):
        return read_config(source)
    spec = parse(source, table, binary)
    return replace(spec, notes=tuple(untold(spec.tensors)))


def _of_object(source: Any) -> Spec:
    if isinstance(source, Spec):
        return source
    torch = sys.modules.get("torch")  # an object can only be a module if its library is loaded already
    if torch is not None and isinstance(source, torch.nn.Module):
        from . import module as _module

        return _module.of_module(source)
    parameters = list(source) if isinstance(source, Iterable) else [source]
    if not all(isinstance(each, Parameter) for each in parameters):
        raise FaninTypeError(f"`spec` must be a path, a torch module or a list of Parameter (got {shown(source)})")
    return of_parameters(parameters)
