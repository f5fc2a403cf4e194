"""MKL's vector statistics library, by ctypes on the libmkl_rt of the `mkl` wheel, on its sequential layer."""

import ctypes
import importlib.metadata

SEQUENTIAL = 1  # of mkl_set_threading_layer
SFMT19937 = 13 << 20  # VSL_BRNG_SFMT19937
STANDARD, BOX_MULLER_2 = 0, 1


def load():
    """An `Mkl`, or None where the wheel is not installed."""
    try:
        distribution = importlib.metadata.distribution("mkl")
        library = next(file for file in distribution.files or () if "mkl_rt" in file.name)
        return Mkl(ctypes.CDLL(str(distribution.locate_file(library))), distribution.version)
    except (importlib.metadata.PackageNotFoundError, StopIteration, OSError):
        return None


class Mkl:
    """Draws from one SFMT19937 stream into ready numpy arrays."""

    def __init__(self, library, version):
        self._library, self.__version__ = library, version
        library.MKL_Set_Threading_Layer(SEQUENTIAL)
        self._stream = ctypes.c_void_p()
        _check(library.vslNewStream(ctypes.byref(self._stream), SFMT19937, 1))

    def words(self, out):
        _check(self._library.viRngUniformBits32(STANDARD, self._stream, out.size, _pointer(out)))

    def uniform(self, out, low, high):
        self._draw("Uniform", STANDARD, out, low, high)

    def normal(self, out, mean, std):
        self._draw("Gaussian", BOX_MULLER_2, out, mean, std)

    def _draw(self, law, method, out, first, second):
        prefix, number = ("vs", ctypes.c_float) if out.itemsize == 4 else ("vd", ctypes.c_double)
        draw = getattr(self._library, f"{prefix}Rng{law}")
        _check(draw(method, self._stream, out.size, _pointer(out), number(first), number(second)))


def _pointer(array):
    return ctypes.c_void_p(array.ctypes.data)


def _check(status):
    if status:
        raise RuntimeError(f"MKL returned the status {status}")
