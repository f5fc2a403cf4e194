"""A launch up to the driver's door: numba's own kernel objects, linked for a GPU, and the arguments that they pass.

Only what asks the driver which GPU this is has been replaced: the answer is fixed.
"""

import ctypes
import re
from types import SimpleNamespace

import numpy as np
import pytest
from numba.cuda import dispatcher
from numba.cuda.cudadrv import devices

from fanin import Normal, Sparse, Uniform
from fanin._backends.cuda import variants as backend
from fanin._backends.tasks import DeviceView, copy_arguments, run_arguments, strided_arguments
from fanin._plans import indexing

KEY = tuple(map(np.uint64, (1, 2, 2**32 - 1, 2**31)))
SIZES = {ctypes.c_uint64: "u64", ctypes.c_int64: "u64", ctypes.c_float: "f32", ctypes.c_double: "f64", bool: "u8"}


@pytest.fixture(autouse=True)
def hopper(monkeypatch):
    """A machine whose current device has compute capability 9.0."""
    device = SimpleNamespace(compute_capability=(9, 0))
    monkeypatch.setattr(dispatcher, "get_current_device", lambda: device)
    monkeypatch.setattr(devices, "get_context", lambda *_: SimpleNamespace(device=device))


def marshalled(kernel, signature, arguments):
    """(PTX types of the kernel's parameters, what numba would hand to the driver), for a kernel linked to a cubin."""
    made = dispatcher._Kernel(kernel, signature.args, lto=False)
    assert made._codelibrary.get_cubin(cc=(9, 0)).code[:4] == b"\x7fELF"
    passed = []
    for kind, value in zip(made.argument_types, arguments, strict=True):
        made._prepare_args(kind, value, 0, [], passed)
    header = made.inspect_asm((9, 0)).partition("{")[0]
    return re.findall(r"\.param \.(\w+)", header), passed


def values(passed):
    return [value if isinstance(value, bool) else value.value for value in passed]


@pytest.mark.parametrize(("scheme", "dtype"),
                         [(Normal(), "bfloat16"), (Uniform(), "float64"), (Sparse(0.5), "float32")],
                         ids=["pair, half", "8 bytes", "masked"])
def test_arguments_of_a_draw(scheme, dtype):
    """Each parameter of the compiled kernel gets one value of its own type, in order."""
    plan = scheme.describe((7, 33), dtype)
    made = backend.variant(plan.sampler, plan.mask, plan.storage, plan.parts)
    block = indexing.block(indexing.whole((7, 33)), (7, 33))
    size = plan.dtype.itemsize
    last = (KEY, plan.params, plan.mask_params)

    view = DeviceView(2**40, (7, 33), (33 * size, size), plan.dtype, "cuda:0")
    _, _, _, arguments = run_arguments(view, block, plan.storage, plan.parts)
    types, passed = marshalled(made.run, backend.run_signature(*last[1:]), (np.uint64(2**40), *arguments, *last))
    assert types == [SIZES[type(value)] for value in passed]
    assert values(passed) == [2**40, 231, 0, 0, 0, *KEY, *plan.params, *plan.mask_params]

    view = view._replace(shape=(7, 33), strides=(100 * size, 2 * size))
    _, _, rank, arguments = strided_arguments(view, block, plan.storage, plan.parts)
    types, passed = marshalled(made.strided(rank), backend.strided_signature(rank, *last[1:]),
                               (np.uint64(2**40), *arguments, *last))
    assert rank == 1
    assert types == [SIZES[type(value)] for value in passed]
    assert values(passed)[-len(plan.params) - len(plan.mask_params) - 4:] == [*KEY, *plan.params, *plan.mask_params]


def test_arguments_of_a_copy():
    """Two addresses, then plain numbers."""
    view = DeviceView(2**40, (5, 7), (28, 4), np.dtype("u4"), "cuda:0")
    _, _, rank, arguments = copy_arguments(view, np.zeros((5, 1), "u4"), np.dtype("u4"), 1)
    types, passed = marshalled(backend.copier(np.dtype("u4"), rank), backend.copy_signature(rank),
                               (np.uint64(2**40), np.uint64(2**41), *arguments))
    assert types == [SIZES[type(value)] for value in passed]
    assert values(passed)[:5] == [2**40, 2**41, 35, 0, 0]
