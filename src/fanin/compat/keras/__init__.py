"""`keras.initializers`: its classes, their aliases, `get`, `serialize` and `deserialize`, drawn by fanin.

Without Keras they return numpy arrays. Where Keras (3.5 or newer) can be imported, importing this module imports it;
then the classes derive from `keras.initializers.Initializer`, return tensors of its backend, and are registered as
"fanin>HeNormal" and so on, so that `.keras` files hold them. Import this module before loading such a file: without it
Keras takes its own class of that name. Values are equal on all backends, bit for bit, and don't depend on
what else was drawn. They aren't Keras' values for the same seed, unless `backend=` asks for those.

>>> import fanin.compat.keras as initializers
>>> w = initializers.HeNormal(seed=3)((512, 256))
>>> round(float(w.std()), 3), (2 / 512) ** 0.5
(0.062, 0.0625)
"""

from ..._namespace import listing as _listing
from ._constants import Constant as Constant
from ._constants import Identity as Identity
from ._constants import Ones as Ones
from ._constants import Zeros as Zeros
from ._fourier import STFT as STFT
from ._link import Initializer as Initializer
from ._link import registered as _registered
from ._random import Orthogonal as Orthogonal
from ._random import RandomNormal as RandomNormal
from ._random import RandomUniform as RandomUniform
from ._random import TruncatedNormal as TruncatedNormal
from ._scaling import GlorotNormal as GlorotNormal
from ._scaling import GlorotUniform as GlorotUniform
from ._scaling import HeNormal as HeNormal
from ._scaling import HeUniform as HeUniform
from ._scaling import LecunNormal as LecunNormal
from ._scaling import LecunUniform as LecunUniform
from ._scaling import VarianceScaling as VarianceScaling
from ._seeds import SeedGenerator as SeedGenerator
from ._serialization import CLASSES as _CLASSES
from ._serialization import deserialize as deserialize
from ._serialization import get as get
from ._serialization import serialize as serialize

# Keras' other names of the classes
constant = Constant
glorot_normal = GlorotNormal
glorot_uniform = GlorotUniform
he_normal = HeNormal
he_uniform = HeUniform
IdentityInitializer = identity = Identity
lecun_normal = LecunNormal
lecun_uniform = LecunUniform
ones = Ones
OrthogonalInitializer = orthogonal = Orthogonal
random_normal = RandomNormal
random_uniform = RandomUniform
STFTInitializer = stft = STFT
truncated_normal = TruncatedNormal
variance_scaling = VarianceScaling
zeros = Zeros

for _class in _CLASSES:
    _class.__module__ = __name__  # where users import them from: what pickles and saved models name
    _registered(_class)
for _own in (Initializer, SeedGenerator):
    if _own.__module__.startswith(__name__):  # not Keras'
        _own.__module__ = __name__
        _own.__name__ = _own.__qualname__ = _own.__name__.lstrip("_")

__all__ = [
    "STFT", "Constant", "GlorotNormal", "GlorotUniform", "HeNormal", "HeUniform", "Identity", "IdentityInitializer",
    "Initializer", "LecunNormal", "LecunUniform", "Ones", "Orthogonal", "OrthogonalInitializer", "RandomNormal",
    "RandomUniform", "STFTInitializer", "SeedGenerator", "TruncatedNormal", "VarianceScaling", "Zeros", "constant",
    "deserialize", "get", "glorot_normal", "glorot_uniform", "he_normal", "he_uniform", "identity", "lecun_normal",
    "lecun_uniform", "ones", "orthogonal", "random_normal", "random_uniform", "serialize", "stft", "truncated_normal",
    "variance_scaling", "zeros",
]

__dir__ = _listing(globals())
