"""timm, one model of each file, and torchvision's builders: what layers mean is what their own initialization gives.

Weights are not compared: nearly every file has a recipe of its own. Norms' parameters and running statistics are, and
are exact.
"""

import pytest
import timm
import torch
import torchvision

from fanin import Rules
from sweep.laws import EXCEPTIONS, differences

MEANINGS = Rules([("*", "start")], strict=False)
SMALL = ("test_", "nano", "pico", "atto", "femto", "tiny", "xxs", "xxt", "_xs", "18", "s0", "b0", "mini")
LARGEST = 100_000_000  # parameters


def check(make, name):
    try:
        with torch.device("meta"):
            size = sum(each.numel() for each in make().parameters())
    except NotImplementedError:  # RegNet computes with its widths
        size = 0
    if size > LARGEST:
        pytest.skip(f"{size:,} parameters")
    found = {f"{row.parameter.layer.types[0]}.{parameter.rpartition('.')[2]}"
             for parameter, (row, _) in differences(make(), MEANINGS).items()}
    assert found == set(EXCEPTIONS["vision"].get(name, []))


@pytest.mark.parametrize("file", timm.list_modules())
def test_timm(file):
    """The smallest, by its name, of the models in a file starts its norms as fanin does."""
    names = sorted(timm.list_models(module=file), key=lambda name: (not any(each in name for each in SMALL), len(name)))
    check(lambda: timm.create_model(names[0]), f"timm/{file}")


@pytest.mark.parametrize("name", torchvision.models.list_models(module=torchvision.models))
def test_torchvision(name):
    """Each of torchvision's classifiers starts its norms as fanin does."""
    keywords = {"init_weights": False} if name in ("googlenet", "inception_v3") else {}  # theirs takes minutes
    check(lambda: torchvision.models.get_model(name, **keywords), f"torchvision/{name}")
