"""The norms of transformers' modeling files, each built by itself with arguments that are guessed from their names."""

import copy
import importlib
import inspect
import re
from pathlib import Path

import torch
import transformers
from torch import nn
from transformers import PreTrainedModel

SIZES = (64, (4, 16))  # channels; heads and their channels
OTHERS = {"padding_idx": 0, "num_groups": 4, "groups": 4, "feature_dims": (8,), "dropout_prob": 0.0, "layer_id": 0,
          "layer_idx": 0}
NORMALIZES = re.compile(r"rsqrt|(F|functional)\.\w+_norm\(|\.var\(")
FILES = sorted(f"{path.parent.name}.{path.stem}"
               for path in Path(transformers.models.__path__[0]).glob("*/modeling_*.py"))


def classes(file):
    """(the classes of a file that normalize, the classes of its models)."""
    module = importlib.import_module(f"transformers.models.{file}")
    own = [kind for kind in vars(module).values() if isinstance(kind, type) and kind.__module__ == module.__name__]
    models = [kind for kind in own if issubclass(kind, PreTrainedModel) and isinstance(kind.config_class, type)]
    layers = [kind for kind in own if issubclass(kind, nn.Module) and not issubclass(kind, PreTrainedModel)]
    return [kind for kind in layers if _normalizes(kind)], models


def _normalizes(kind):
    return "norm" in kind.__name__.lower() or bool(NORMALIZES.search(inspect.getsource(kind.forward)))


def build(kind, models):
    """A norm; None where a class has no parameters of its own, or is made of layers that have."""
    failure = None
    for config in dict.fromkeys(model.config_class for model in models):
        for size in SIZES:
            try:
                with torch.device("meta"):
                    layer = kind(**_arguments(kind, config(), size))
                holders = [each for each in layer.modules() if list(each.parameters(recurse=False))]
                return kind(**_arguments(kind, config(), size)) if holders == [layer] else None
            except Exception as error:  # the layer of another config, or of another size
                failure = error
    raise failure


def _arguments(kind, config, size):
    for base in kind.__mro__:  # the next one where a constructor only passes on what it is given
        given = {each.name: config if "config" in each.name else OTHERS.get(each.name, size)
                 for each in list(inspect.signature(base.__init__).parameters.values())[1:]
                 if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
                 and (each.default is each.empty or each.name in ("hidden_size", "dim"))}
        if given:
            return given
    return {}


def starts(layer, models):
    """What the models' own `_init_weights` make of a norm's parameters: one dict for each way there is."""
    found = []
    for kind in models:
        model = kind.__new__(kind)  # a whole one is not needed
        nn.Module.__init__(model)
        model.config = kind.config_class()
        fresh = copy.deepcopy(layer)
        with torch.no_grad():
            model._init_weights(fresh)
        each = {key: _constant(tensor) for key, tensor in fresh.named_parameters()}
        if each not in found:
            found.append(each)
    return found


def _constant(tensor):
    """The number that all elements are, or None."""
    return tensor.flatten()[0].item() if (tensor == tensor.flatten()[0]).all() else None
