"""A user's scheme, distribution, draws, rules and checkpoint, for type checkers to read: nothing runs them."""

from pathlib import Path
from typing import Any, assert_type

import numpy as np

import fanin
from fanin import Initializer, Normal, Plan, Registry, Rules, Stream, TensorSpec
from fanin.math import log


@fanin.sampler
def exponential(u: float, scale: float) -> float:
    """-scale·ln u."""
    return -scale * log(u)


@Registry.register("users_exponential", "users_exp")
class Exponential(Initializer):
    """Numbers of mean `scale`."""

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale

    def plan(self, spec: TensorSpec) -> Plan:
        """Drawn by inversion."""
        return spec.draw(exponential, self.scale, mean=self.scale, std=self.scale)


@Registry.register("users_half_he")
class HalfHe(Initializer):
    """A scheme made of another."""

    def __init__(self, gain: float = 0.5) -> None:
        self.gain = gain

    def plan(self, spec: TensorSpec) -> Plan:
        """Half of He's std."""
        return Normal(0.0, self.gain * (2 / spec.fans().fan_in) ** 0.5).plan(spec)


def draw() -> float:
    """New arrays, arrays of the caller's, shards, seeds and streams."""
    he = Registry.get("he_normal")
    assert_type(he, Initializer)
    weight = he((512, 256), dtype="bfloat16", seed=7, name="encoder.0.weight")
    assert_type(weight, np.ndarray[Any, Any])
    ready = np.empty((8, 8), np.float64)
    assert_type(he((8, 8), seed=Stream(0), out=ready), np.ndarray[tuple[int, int], np.dtype[np.float64]])
    block = he.shard((512, 256), (slice(0, 128), ...), seed=7, name="encoder.0.weight")
    assert_type(block, np.ndarray[Any, Any])
    plan = Exponential(2.0).replace(scale=3.0).describe((3, 4))
    assert_type(plan, Plan)
    return float(weight.std()) + (plan.std or 0.0)


def configs() -> Initializer:
    """A scheme as data."""
    scheme = Initializer.from_config(HalfHe(0.25).get_config())
    assert_type(HalfHe().replace(gain=1.0), HalfHe)
    return scheme


def rules() -> Rules:
    """Which parameter gets which scheme."""
    small = {"scheme": "normal", "version": 1, "std": 0.02}
    return Rules.of({"*.bias": "zeros", "*.weight": Exponential(), "*": small})


def checkpoint(folder: Path) -> int:
    """A whole model by its names, shapes and dtypes."""
    written = fanin.checkpoint.init(folder / "model.json", folder / "model.safetensors", rules(), seed=0)
    return sum(file.nbytes for file in written)
