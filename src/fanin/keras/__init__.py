"""`fanin.keras`: initialize, verify and measure Keras models, with the same bits on every backend.

>>> import fanin, keras
>>> model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(4, name="dense")])
>>> table = fanin.keras.init_model(model, "he_normal", seed=7)
>>> len(table)
2
"""

from .._errors import missing_dependency as _missing_dependency

try:
    import keras as _keras  # noqa: F401
except ModuleNotFoundError as _error:
    if _error.name != "keras":  # of the backend that KERAS_BACKEND names
        raise
    raise _missing_dependency("fanin.keras", "keras", "keras") from _error

from .._namespace import listing as _listing
from ._measuring.measure import signal as signal
from ._model import init_model as init_model
from ._model import parameters as parameters
from ._verify import verify_model as verify_model

__all__ = ["init_model", "parameters", "signal", "verify_model"]

__dir__ = _listing(globals())
