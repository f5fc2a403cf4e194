"""`fanin.keras`: whole Keras models by rules, with the same bits on every backend."""

from .._errors import missing_dependency as _missing_dependency

try:
    import keras as _keras  # noqa: F401
except ModuleNotFoundError as _error:
    if _error.name != "keras":  # of the backend that KERAS_BACKEND names
        raise
    raise _missing_dependency("fanin.keras", "keras", "keras") from _error

from ._model import init_model as init_model
from ._model import parameters as parameters
from ._signal.measure import signal as signal
from ._verify import verify_model as verify_model
