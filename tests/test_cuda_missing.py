"""What users meet where CUDA isn't: one line that says what is missing and how to get it, and nothing done.

These run in every environment: without numba-cuda it is the package that is missing, with it (and no GPU) the driver.
"""

import importlib.util
import subprocess
import sys
from ctypes.util import find_library

import numpy as np
import pytest

import fanin
from fanin import FaninError, FaninRuntimeError, Normal, Orthogonal, Stream
from fanin._backends import _cuda

INSTALLED = importlib.util.find_spec("numba_cuda") is not None
LACK = _cuda()[1]
CURES = ["nvidia.com/drivers", *([] if INSTALLED else ["pip install 'fanin[cuda]'"])]

without_cuda = pytest.mark.skipif(LACK is None, reason="this machine, or the simulator, has what CUDA takes")


class OnGPU:
    """Another library's array, by the interface alone."""

    __cuda_array_interface__ = {"shape": (4, 3), "typestr": "<f4", "data": (1 << 40, False), "version": 3}


class OnGPUByDLPack:
    def __dlpack_device__(self):
        return 2, 0  # kDLCUDA

    def __dlpack__(self, **request):
        raise AssertionError("asked for memory that nobody can write")


@without_cuda
@pytest.mark.parametrize("device", ["cuda", "cuda:0", "cuda:1", "gpu", "gpu:3"])
@pytest.mark.parametrize("call", [
    lambda device, stream: Normal()((4, 3), device=device, seed=stream),
    lambda device, stream: Normal().shard((4, 3), 0, device=device, seed=stream),
    lambda device, stream: Orthogonal()((2**20, 2**20), device=device, seed=stream),  # 4 TiB: nothing is allocated
    lambda device, stream: fanin.stream.words(stream, device=device),
], ids=["call", "shard", "too large", "words"])
def test_a_device_that_is_not_there(call, device):
    """The message names the device and what is missing, and says what to install; no stream moves."""
    stream = Stream(5)
    with pytest.raises(FaninRuntimeError) as caught:
        call(device, stream)
    message = str(caught.value)
    assert message.startswith(f"`device` '{device}' needs ") and LACK in message
    assert all(cure in message for cure in CURES)
    assert "\n" not in message
    assert stream.position == 0


@without_cuda
@pytest.mark.parametrize("version", ["2.4.9", "2.5.0", "3.0"])
def test_all_that_is_missing_is_named_at_once(monkeypatch, version):
    """Package, numpy (numba-cuda breaks on 2.5 when it first compiles) and driver: no second attempt finds another."""
    monkeypatch.setattr(np, "__version__", version)
    missing = {"the package numba-cuda": not INSTALLED, "an NVIDIA driver": find_library("cuda") is None,
               f"(this is {version}): pip install 'numpy<2.5'": version != "2.4.9"}
    lack = _cuda()[1]
    assert {what: what in lack for what in missing} == missing
    assert lack.count("; and ") == sum(missing.values()) - 1


@without_cuda
@pytest.mark.parametrize("kind", [OnGPU, OnGPUByDLPack])
def test_an_array_on_a_gpu(kind):
    """An `out` that only CUDA could fill is refused for the same reason."""
    stream = Stream(5)
    with pytest.raises(FaninRuntimeError, match=f"`out`, an {kind.__name__} on a GPU, needs ") as caught:
        Normal()((4, 3), out=kind(), seed=stream)
    assert LACK in str(caught.value)
    assert stream.position == 0


@pytest.mark.parametrize("device", ["cuda:", "cuda:x", "cuda:-1", "cuda:1:2", "CUDA", "gpu:", "cuda 0", "cuda:²"])
def test_a_device_that_could_never_be(device):
    """A name that is none is a ValueError, on any machine."""
    with pytest.raises(ValueError, match="`device` must be"):
        Normal()(3, device=device)


def test_an_array_of_numpy_is_not_drawn_into_on_a_gpu():
    """`device` and `out` that contradict each other are refused, and the array is left alone."""
    out = np.full(3, 7, np.float32)
    with pytest.raises(FaninError):
        Normal()(3, device="cuda", out=out)
    assert (out == 7).all()


def test_the_oracle_fills_an_array_too():
    """A numpy array is on both of the CPU's devices."""
    out = np.zeros(5, np.float32)
    assert Normal()(5, device="reference", seed=0, out=out) is out
    np.testing.assert_array_equal(out, Normal()(5, seed=0))


@without_cuda
def test_the_command_line_says_what_was_found():
    """`fanin devices` prints the CPU and why there is no CUDA device, and succeeds."""
    done = subprocess.run([sys.executable, "-m", "fanin", "devices"], capture_output=True, text=True, check=True)
    header, cpu, cuda = done.stdout.splitlines()
    assert header.split() == ["device", "what", "it", "is"]
    assert cpu.startswith("cpu ") and "threads, numba " in cpu
    assert cuda.startswith("cuda ") and f"none: it needs {LACK}" in cuda
    assert done.stderr == ""


def test_nothing_of_cuda_is_imported_until_it_is_asked_for():
    """Draws on the CPU load neither numba.cuda nor NVIDIA's packages."""
    code = ("import sys, fanin, fanin.cli; fanin.Normal()((3, 3)); fanin.Orthogonal()((3, 3)); "
            "print([name for name in sys.modules if name.startswith(('numba.cuda', 'numba_cuda', 'cuda.', 'cupy'))])")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # numba-cuda's own start-up hook, which every Python process runs where it is installed
    assert set(eval(done.stdout)) <= {"_numba_cuda_redirector", "numba_cuda"}


@without_cuda
def test_the_device_option_of_the_tests_fails_where_there_is_none():
    """`pytest --device cuda` stops with the reason; it doesn't skip."""
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--device", "cuda",
                           __file__], capture_output=True, text=True, check=False)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "--device cuda" in done.stderr and LACK in done.stderr


