"""`fanin.dask`: draw tensors as Dask arrays, chunk by chunk, so a tensor may be larger than memory.

>>> import fanin.dask
>>> w = fanin.dask.array("he_normal", (50_000, 20_000), seed=7, name="encoder.0.weight")  # 4 GB, none of it drawn yet
>>> w.dtype, w.numblocks
(dtype('float32'), (9, 4))
>>> w[128, :3].compute()  # draws these three elements
array([-0.00193131, -0.01267242, -0.00565433], dtype=float32)
"""

from .._errors import missing_dependency as _missing_dependency

try:
    import dask.array as _dask  # noqa: F401
except ImportError as _error:
    raise _missing_dependency("fanin.dask", "dask[array]", "dask") from _error

from .._namespace import listing as _listing
from ._array import array as array

__all__ = ["array"]

__dir__ = _listing(globals())
