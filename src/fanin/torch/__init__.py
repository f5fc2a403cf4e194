"""Whole torch modules by rules, and sharded tensors: each parameter keyed by its name, wherever it lives."""

from .._errors import missing_dependency

try:
    import torch as _torch  # noqa: F401
except ImportError as _error:
    raise missing_dependency("fanin.torch", "torch", "torch") from _error

from .._signal import Comparison as Comparison
from .._signal import LayerSignal as LayerSignal
from .._signal import Signal as Signal
from ._distribute import distribute as distribute
from ._module import init_module as init_module
from ._module import parameters as parameters
from ._signal.measure import signal as signal
from ._verify import verify_module as verify_module
