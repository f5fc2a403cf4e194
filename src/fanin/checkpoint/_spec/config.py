"""transformers' `config.json` as a description of a model, which transformers builds from it on the meta device.

Beside a checkpoint's headers it tells the layers of their tensors. No code but transformers' own is run.
"""

from __future__ import annotations

import importlib
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..._errors import FaninError, FaninValueError, listed, missing_dependency
from . import module as _module
from .load import load
from .names import untold
from .spec import Spec

if TYPE_CHECKING:
    from torch import nn

CONFIG = "config.json"
_COMPANIONS = (CONFIG, "generation_config.json")  # what `from_pretrained` reads beside the weights


def is_config(table: dict[str, Any]) -> bool:
    """Whether a JSON table is a config of transformers, and not one that has a tensor of this name."""
    return isinstance(table.get("model_type"), str)


def has_config(folder: str) -> bool:
    """Whether a folder has a config of transformers."""
    path = os.path.join(folder, CONFIG)
    if not os.path.isfile(path):
        return False
    table, binary = load(path)
    return not binary and is_config(table)


def read_config(path: str) -> Spec:
    """The tensors of the model that a config describes, under the names that `state_dict()` has for them.

    Raises:
        FaninImportError: torch or transformers is missing.
        FaninValueError: transformers doesn't know the model, or can't build it.
    """
    importlib.import_module("fanin.torch")  # it says so if torch is missing
    try:
        import transformers
    except ImportError:
        raise missing_dependency("building the model of a config.json", "transformers", "transformers") from None
    model, notes = _build(path, transformers)
    try:
        spec = _module.of_module(model)
    except FaninError as error:
        raise type(error)(f"{path}: {error}") from None
    return replace(spec, notes=(*notes, *spec.notes), sources=(path,), companions=_companions(path))


def _build(path: str, transformers: Any) -> tuple[nn.Module, list[str]]:
    """The model on meta, and remarks on it."""
    import torch

    notes = []
    with _module.reported(f"{path}: building the model, under torch.device('meta'),"), torch.device("meta"):
        config = transformers.AutoConfig.from_pretrained(path, trust_remote_code=False, local_files_only=True)
        names = config.architectures or []
        if names:
            model = _class(path, names[0], transformers)._from_config(config)
        else:
            model = transformers.AutoModel.from_config(config, trust_remote_code=False)
            notes.append(f"{path}: it names no `architectures`, so {type(model).__name__} was built, which has no head")
    if getattr(config, "quantization_config", None) is not None:
        notes.append(f"{path}: its `quantization_config` was not applied: the weights are those of the plain model")
    return model, notes


def _class(path: str, name: str, transformers: Any) -> Any:
    kind = getattr(transformers, name, None)
    if not (isinstance(kind, type) and issubclass(kind, transformers.PreTrainedModel)):
        raise FaninValueError(f"{path}: `architectures` must name a model of transformers {transformers.__version__} "
                              f"(got {name!r:.100}): give a function that builds the model, as FILE.py:FUNCTION")
    return kind


def _companions(path: str) -> tuple[tuple[str, str], ...]:
    places = [(name, os.path.join(os.path.dirname(path), name)) for name in _COMPANIONS]
    places[0] = CONFIG, path
    return tuple((name, _text(place)) for name, place in places if os.path.isfile(place))


def _text(path: str) -> str:
    with open(path, encoding="utf-8", newline="") as file:
        return file.read()


def with_neighbours(spec: Spec, folder: str) -> Spec:
    """The `spec` of a checkpoint's headers with the layers that the config beside them tells.

    Its notes say which tensors' meaning stays unknown: headers have names and shapes alone.
    """
    path, notes = os.path.join(folder, CONFIG), list(spec.notes)
    try:
        if has_config(folder):
            spec = replace(spec, companions=_companions(path), config=load(path)[0])
            if any(tensor.layer is None for tensor in spec.tensors):
                spec, others = _with_layers(spec, read_config(path))
                if others:
                    notes.append(f"{path}: the model that it describes has no such tensors, so their layers are not "
                                 "known, and init_module draws what they become by other names: "
                                 f"{listed(others, at_most=3)}")
            return replace(spec, notes=tuple(notes))
    except FaninError as error:
        notes.append(f"{path} was not used: {str(error).removeprefix(f'{path}: ')}")
    return replace(spec, notes=(*notes, *untold(spec.tensors)))


def _with_layers(spec: Spec, model: Spec) -> tuple[Spec, list[str]]:
    """The layers of `model`'s tensors for those of the same name and shape, and the names that it has not."""
    known = {(each.name, each.shape): each.layer for each in model.tensors}
    tensors = [each if each.layer is not None else each._replace(layer=known.get((each.name, each.shape)))
               for each in spec.tensors]
    return replace(spec, tensors=tensors), [each.name for each in tensors if each.layer is None]
