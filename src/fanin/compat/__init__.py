"""Other frameworks' own interfaces: one module for each, with its names, signatures, defaults and return values.

    import fanin.compat.torch as init   # instead of: from torch.nn import init

Each module is loaded at its first use and draws with fanin's schemes. None needs the framework whose names it has.

>>> import fanin.compat.torch as init
>>> import numpy as np
>>> weight = init.kaiming_normal_(np.empty((512, 256), np.float32), nonlinearity="relu", generator=7)
>>> round(float(weight.std()), 3), round((2 / 256) ** 0.5, 3)
(0.088, 0.088)
"""

from typing import TYPE_CHECKING as _TYPE_CHECKING

from .._namespace import listing as _listing
from .._namespace import on_demand as _on_demand

__all__ = ["flax", "flint", "jax", "jittor", "keras", "storch", "torch", "torch03"]

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
    __getattr__ = _on_demand(__name__, {name: f".{name}" for name in __all__})
    __dir__ = _listing(globals())
