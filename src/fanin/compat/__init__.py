"""Other systems' own interfaces: one module a system, with its names, signatures, defaults and return values.

    import fanin.compat.torch as init   # instead of: from torch.nn import init

A module is loaded when it is first asked for, and draws with fanin's schemes.
"""

from typing import TYPE_CHECKING as _TYPE_CHECKING

if _TYPE_CHECKING:
    from . import flax as flax
    from . import flint as flint
    from . import jax as jax
    from . import jittor as jittor
    from . import keras as keras
    from . import storch as storch
    from . import torch as torch
    from . import torch03 as torch03
else:
    _ON_DEMAND = ("flax", "flint", "jax", "jittor", "keras", "storch", "torch", "torch03")

    def __getattr__(name: str) -> object:
        if name in _ON_DEMAND:
            import importlib

            return importlib.import_module(f"{__name__}.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *_ON_DEMAND})
