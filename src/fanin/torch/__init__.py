"""Initialize, verify and measure torch modules, plain and sharded.

>>> import torch, fanin
>>> net = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 4))
>>> table = fanin.torch.init_module(net, "he_normal", seed=7)
>>> len(table), net[0].bias.any().item()
(4, False)
"""

from .._errors import missing_dependency as _missing_dependency

try:
    import torch as _torch  # noqa: F401
except ImportError as _error:
    raise _missing_dependency("fanin.torch", "torch", "torch") from _error

from .._namespace import listing as _listing
from .._signal import Comparison as Comparison
from .._signal import CoordCheck as CoordCheck
from .._signal import Coordinates as Coordinates
from .._signal import LayerSignal as LayerSignal
from .._signal import Signal as Signal
from ._distribute import distribute as distribute
from ._groups import param_groups as param_groups
from ._measuring.coordinates import coord_check as coord_check
from ._measuring.measure import signal as signal
from ._module import init_module as init_module
from ._module import parameters as parameters
from ._verify import verify_module as verify_module

__all__ = ["Comparison", "CoordCheck", "Coordinates", "LayerSignal", "Signal", "coord_check", "distribute",
           "init_module", "param_groups", "parameters", "signal", "verify_module"]

__dir__ = _listing(globals())
