"""Arrays of torch, CuPy, numba and of nobody in particular, filled where they are, on the stream that is theirs."""

import numpy as np
import pytest

from devices import on_host
from fanin import Constant, DeltaOrthogonal, FaninError, Normal, Orthogonal, Sparse, Stream, Uniform

pytestmark = pytest.mark.gpu

KEY = {"seed": 5, "name": "w"}
SHAPE = (257, 33)
NORMAL = Normal()
FLOATING = ["float16", "bfloat16", "float32", "float64", "complex64", "complex128"]


def raw(tensor, torch):
    """The elements' bytes of a torch tensor, in C order."""
    return tensor.detach().reshape(-1).contiguous().view(torch.uint8).cpu().numpy().tobytes()


def assert_drawn(tensor, torch, scheme=NORMAL):
    dtype = str(tensor.dtype).removeprefix("torch.")
    assert raw(tensor, torch) == scheme(tuple(tensor.shape), dtype, **KEY).tobytes()


@pytest.mark.parametrize("dtype", FLOATING)
def test_torch_tensors(dtype, torch):
    """A tensor gets the CPU's bits in its own memory, is returned, and autograd sees that it changed."""
    tensor = torch.zeros(SHAPE, dtype=getattr(torch, dtype), device="cuda", requires_grad=True)
    address, version = tensor.data_ptr(), tensor._version
    assert Normal()(SHAPE, out=tensor, **KEY) is tensor
    assert tensor.data_ptr() == address and tensor._version == version + 1
    assert_drawn(tensor, torch)


@pytest.mark.parametrize("scheme", [Normal(), Uniform(), Sparse(0.5), Constant(np.arange(20.0))], ids=repr)
@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float64"])
def test_strided_torch_tensors(scheme, dtype, torch):
    """Transposed and stepped views; what lies between their elements is left alone."""
    memory = torch.full((600, 500), 9, dtype=getattr(torch, dtype), device="cuda")
    view = memory.T[3:20:4, 1::30]
    assert view.shape == (5, 20)
    scheme((5, 20), out=view, **KEY)
    assert_drawn(view, torch, scheme)
    view.fill_(9)
    assert bool((memory == 9).all())


def test_torch_streams(torch):
    """The work waits its turn on torch's current stream, and the call returns at once."""
    side = torch.cuda.Stream()
    tensor = torch.zeros(10**6, device="cuda")
    Normal()(10**6, out=tensor, **KEY)  # compiled
    torch.cuda.synchronize()
    with torch.cuda.stream(side):
        torch.cuda._sleep(10**9)
        tensor.fill_(7)
        Normal()(10**6, out=tensor, **KEY)
        still_busy = not side.query()
        doubled = tensor * 2
    assert still_busy
    side.synchronize()
    assert_drawn(tensor, torch)
    assert_drawn(doubled / 2, torch)


def test_results_go_to_torch_without_a_copy(torch):
    """`torch.as_tensor` takes a new array as it is; bfloat16 as a view of the bit patterns."""
    drawn = Normal()(SHAPE, device=torch.device("cuda"), **KEY)
    tensor = torch.as_tensor(drawn, device="cuda")
    assert tensor.data_ptr() == drawn.__cuda_array_interface__["data"][0]
    assert_drawn(tensor, torch)

    drawn = Normal()(SHAPE, "bfloat16", "cuda", **KEY)
    tensor = torch.as_tensor(drawn, device="cuda").view(torch.bfloat16)
    assert tensor.data_ptr() == drawn.__cuda_array_interface__["data"][0]
    assert_drawn(tensor, torch)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "complex64", "float64"])
@pytest.mark.parametrize("shape", [(300, 420), (420, 300)], ids=str)
def test_orthogonal_torch_tensors(shape, dtype, torch):
    """Made on the GPU, by torch's products: orthogonal, and the CPU's matrix within the promised bound."""
    tensor = torch.zeros(shape, dtype=getattr(torch, dtype), device="cuda")
    Orthogonal(1.5)(shape, out=tensor, **KEY)
    q = tensor.to(torch.complex128 if dtype == "complex64" else torch.float64)
    gram = q @ q.mH if shape[0] < shape[1] else q.mH @ q
    loose = {"float32": 1e-5, "complex64": 1e-5, "bfloat16": 2e-2, "float64": 1e-13}[dtype]
    assert float((gram - 2.25 * torch.eye(300, device="cuda")).abs().max()) < 2.25 * loose
    expected = Orthogonal(1.5)(shape, dtype, **KEY).astype(np.complex128)
    assert abs(q.cpu().numpy() - expected).max() < 1.5 * loose

    kernel = torch.zeros((8, 4, 3, 3), device="cuda")
    DeltaOrthogonal()(kernel.shape, out=kernel, **KEY)
    np.testing.assert_allclose(kernel.cpu().numpy(), DeltaOrthogonal()(kernel.shape, **KEY), rtol=0, atol=1e-5)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", "complex64", "complex128"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_cupy_arrays(dtype, order, cupy):
    """CuPy's arrays are filled where they are, in any order, on CuPy's current stream."""
    array = cupy.zeros(SHAPE, dtype, order=order)
    stream = cupy.cuda.Stream(non_blocking=True)
    with stream:
        array.fill(7)
        assert Normal()(SHAPE, out=array, **KEY) is array
    stream.synchronize()
    assert cupy.asnumpy(array).tobytes() == Normal()(SHAPE, dtype, **KEY).tobytes()


def test_results_go_to_cupy_without_a_copy(cupy):
    """`cupy.asarray` takes a new array as it is."""
    drawn = Normal()(SHAPE, device="cuda", **KEY)
    array = cupy.asarray(drawn)
    assert array.data.ptr == drawn.__cuda_array_interface__["data"][0]
    np.testing.assert_array_equal(cupy.asnumpy(array), Normal()(SHAPE, **KEY))


@pytest.mark.parametrize("shape", [(300, 420), (420, 300)], ids=str)
def test_orthogonal_cupy_arrays(shape, cupy):
    """Made on the GPU, by CuPy's products; likewise new arrays, where CuPy is installed."""
    expected = Orthogonal()(shape, **KEY)
    array = cupy.zeros(shape, "f4")
    Orthogonal()(shape, out=array, **KEY)
    np.testing.assert_allclose(cupy.asnumpy(array), expected, rtol=0, atol=1e-5)
    drawn = Orthogonal()(shape, device="cuda", **KEY)
    np.testing.assert_allclose(drawn.copy_to_host(), expected, rtol=0, atol=1e-5)


class DLPackOnly:
    """Some library's array: nothing but the protocol."""

    def __init__(self, array):
        self._array = array

    def __dlpack__(self, **request):
        return self._array.__dlpack__(**request)

    def __dlpack_device__(self):
        return self._array.__dlpack_device__()


class InterfaceOnly:
    def __init__(self, array, **changes):
        self._array = array
        self.__cuda_array_interface__ = array.__cuda_array_interface__ | changes


@pytest.mark.parametrize("dtype", ["float16", "float32", "complex64"])
@pytest.mark.parametrize("wrap", [DLPackOnly, InterfaceOnly])
def test_protocols(wrap, dtype, torch):
    """Any array with DLPack or __cuda_array_interface__ is filled in place, and ready when the call returns."""
    tensor = torch.zeros(SHAPE, dtype=getattr(torch, dtype), device="cuda").T
    torch.cuda.synchronize()
    out = wrap(tensor)
    assert Normal()(SHAPE[::-1], out=out, **KEY) is out
    assert_drawn(tensor, torch)


def test_read_only_memory(torch):
    """An array that says that it must not be written is not."""
    tensor, stream = torch.zeros(SHAPE, device="cuda"), Stream(5)
    out = InterfaceOnly(tensor, data=(tensor.data_ptr(), True))
    with pytest.raises(FaninError, match="writable"):
        Normal()(SHAPE, out=out, seed=stream)
    assert stream.position == 0 and not tensor.any()


def test_numbas_arrays():
    """numba's own arrays, whole and sliced."""
    from numba import cuda

    array = cuda.device_array((40, 30), np.float32)
    assert Normal()((40, 30), out=array, **KEY) is array
    np.testing.assert_array_equal(array.copy_to_host(), Normal()((40, 30), **KEY))
    Uniform()((40, 7), out=array[:, 3:10], **KEY)
    np.testing.assert_array_equal(array.copy_to_host()[:, 3:10], Uniform()((40, 7), **KEY))


def test_two_devices():
    """Each array is filled on its own device, and the current device stays what it was."""
    from numba import cuda

    if len(cuda.gpus) < 2:
        pytest.skip("this machine has one GPU")
    before = cuda.get_current_device().id
    expected = Normal()(SHAPE, **KEY)
    first, second = (Normal()(SHAPE, device=f"cuda:{i}", **KEY) for i in (0, 1))
    for array, index in ((first, 0), (second, 1)):
        with cuda.gpus[index]:
            np.testing.assert_array_equal(on_host(array, np.float32), expected)
            Uniform()(SHAPE, out=array, **KEY)
            np.testing.assert_array_equal(on_host(array, np.float32), Uniform()(SHAPE, **KEY))
    with pytest.raises(FaninError, match="cuda:1"):
        Normal()(SHAPE, device="cuda:0", out=second)
    assert cuda.get_current_device().id == before


def test_two_devices_of_torch(torch):
    """A tensor on the second device, while the first is current; and "cuda" is the current one."""
    if torch.cuda.device_count() < 2:
        pytest.skip("this machine has one GPU")
    tensor = torch.zeros(SHAPE, device="cuda:1")
    Normal()(SHAPE, out=tensor, **KEY)
    assert_drawn(tensor, torch)
    assert torch.cuda.current_device() == 0
    with torch.cuda.device(1):
        torch.zeros(1, device="cuda")
        assert torch.as_tensor(Normal()(SHAPE, device="cuda", **KEY)).device.index == 1
