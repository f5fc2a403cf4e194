"""timm, one model of each file, and torchvision's builders: what layers mean is what their own initialization gives.

Weights are not compared: nearly every file has a recipe of its own. Norms' parameters and running statistics are, and
are exact. So are the buffers of a timm model that gets its memory from `init_module`.
"""

import contextlib

import pytest
import timm
import torch
import torchvision

from fanin import FaninValueError, Rules
from fanin.torch import init_module
from sweep.laws import EXCEPTIONS, differences

MEANINGS = Rules([("*", "start")], strict=False)
FILLED = {"*": "ones"}
SMALL = ("test_", "nano", "pico", "atto", "femto", "tiny", "xxs", "xxt", "_xs", "18", "s0", "b0", "mini")
LARGEST = 100_000_000  # parameters


def small(file):
    """The smallest, by its name, of the models in a file of timm."""
    names = timm.list_models(module=file)
    return min(names, key=lambda name: (not any(each in name for each in SMALL), len(name), name))


def on_meta(make):
    """A model without memory, unless it is too large to get it later."""
    with torch.device("meta"):
        model = make()
    size = sum(each.numel() for each in model.parameters())
    if size > LARGEST:
        pytest.skip(f"{size:,} parameters")
    return model


def check(make, name):
    with contextlib.suppress(NotImplementedError):  # RegNet computes with its widths
        on_meta(make)
    found = {f"{row.parameter.layer.types[0]}.{parameter.rpartition('.')[2]}"
             for parameter, (row, _) in differences(make(), MEANINGS).items()}
    assert found == set(EXCEPTIONS["vision"].get(name, []))


@pytest.mark.parametrize("file", timm.list_modules())
def test_timm(file):
    """A model of each file starts its norms as fanin does."""
    check(lambda: timm.create_model(small(file)), f"timm/{file}")


@pytest.mark.parametrize("file", timm.list_modules())
def test_timm_from_meta(file):
    """A model that gets memory from `init_module` has the buffers that it makes itself, or is refused by name."""
    model = on_meta(lambda: timm.create_model(small(file)))
    if file in EXCEPTIONS["meta"]:
        with pytest.raises(FaninValueError, match=f"nothing gives values to {EXCEPTIONS['meta'][file]}"):
            init_module(model, FILLED, seed=0, device="cpu")
        return
    init_module(model, FILLED, seed=0, device="cpu")
    own = dict(timm.create_model(small(file)).named_buffers())
    assert dict(model.named_buffers()).keys() == own.keys()
    assert [name for name, buffer in model.named_buffers() if not torch.equal(buffer, own[name])] == []


@pytest.mark.parametrize("name", torchvision.models.list_models(module=torchvision.models))
def test_torchvision(name):
    """Each of torchvision's classifiers starts its norms as fanin does."""
    keywords = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}  # theirs takes minutes
    check(lambda: torchvision.models.get_model(name, **keywords), f"torchvision/{name}")
