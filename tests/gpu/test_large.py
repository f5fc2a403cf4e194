"""Arrays of more than 2**31 elements, and how fast they are filled."""

import numpy as np
import pytest

from fanin import Normal, TruncatedNormal, Uniform

pytestmark = pytest.mark.gpu

MANY = 2**31 + 5
KEY = {"seed": 5, "name": "w"}


@pytest.fixture
def numba_cuda(backend):
    if backend.SIMULATED:
        pytest.fail("an array of 2**31 elements is too large for a simulator: these need a GPU", pytrace=False)
    from numba import cuda

    return cuda


def test_more_than_two_to_the_31_elements(numba_cuda):
    """Both ends, the middle, and the elements around 2**31 are the CPU's."""
    array = Uniform()((MANY,), "float16", "cuda", **KEY)
    for start in (0, 2**30 - 3, 2**31 - 50, MANY - 100):
        part = array[start:start + 100].copy_to_host()
        np.testing.assert_array_equal(part, Uniform().shard((MANY,), slice(start, start + 100), "float16", **KEY))


def test_more_than_two_to_the_31_elements_with_strides(numba_cuda):
    """The same into every second place of an array twice as long: positions beyond 2**32."""
    memory = numba_cuda.device_array((2 * MANY,), np.float16)
    Normal()((MANY,), out=memory[1::2], **KEY)
    for start in (0, 2**31 - 50, MANY - 100):
        part = memory[2 * start:2 * start + 200].copy_to_host()[1::2]
        np.testing.assert_array_equal(part, Normal().shard((MANY,), slice(start, start + 100), "float16", **KEY))


@pytest.mark.parametrize("dtype", ["float32", "float16", "float64"])
@pytest.mark.parametrize("scheme", [Uniform(), Normal(), TruncatedNormal()], ids=lambda s: type(s).__name__)
def test_bandwidth(scheme, dtype, numba_cuda, capsys):
    """Printed, not judged: bytes written per second, beside a device-to-device copy of as much."""
    count = 2**29 // np.dtype(dtype).itemsize
    out, source = (numba_cuda.device_array(count, dtype) for _ in range(2))

    def seconds(work):
        work()
        best = np.inf
        for _ in range(10):
            begin, end = numba_cuda.event(), numba_cuda.event()
            begin.record()
            work()
            end.record()
            end.synchronize()
            best = min(best, numba_cuda.event_elapsed_time(begin, end) / 1e3)
        return best

    drawn, copied = seconds(lambda: scheme(count, out=out, **KEY)), seconds(lambda: out.copy_to_device(source))
    with capsys.disabled():
        print(f"\n{type(scheme).__name__} {dtype}: {count / drawn / 1e9:.1f} G/s, {2**29 / drawn / 1e9:.0f} GB/s "  # noqa: T201
              f"written; a copy moves {2**29 / copied / 1e9:.0f} GB/s")
    scheme(count, out=out, **KEY)
    np.testing.assert_array_equal(out[:100].copy_to_host(), scheme.shard(count, slice(0, 100), dtype, **KEY))
