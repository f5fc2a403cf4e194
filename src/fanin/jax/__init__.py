"""`fanin.jax`: initialize flax and equinox models, arrays over any devices, and single layers.

>>> import fanin
>>> weight = fanin.jax.make_array("he_normal", (512, 256), seed=7, name="encoder.kernel")
>>> weight.shape, str(weight.dtype)
((512, 256), 'float32')
"""

from .._errors import missing_dependency as _missing_dependency

try:
    import jax as _jax  # noqa: F401
except ModuleNotFoundError as _error:
    if _error.name not in ("jax", "jaxlib"):
        raise
    raise _missing_dependency("fanin.jax", "jax", "jax") from _error

from .._namespace import listing as _listing
from ._arrays import make_array as make_array
from ._initializer import KeyedInitializer as KeyedInitializer
from ._initializer import initializer as initializer
from ._measuring.measure import signal as signal
from ._models import Initialized as Initialized
from ._models import init_model as init_model
from ._models import parameters as parameters
from ._verify import verify_model as verify_model

__all__ = [
    "Initialized", "KeyedInitializer", "init_model", "initializer", "make_array", "parameters", "signal",
    "verify_model",
]

__dir__ = _listing(globals())
