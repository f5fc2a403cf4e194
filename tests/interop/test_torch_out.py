"""`out=` into torch CPU tensors: the same bits as numpy's, in place, outside autograd, without importing torch."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.parameter import UninitializedBuffer

import fanin
import fanin.compat.torch as compat
from fanin import Constant, Eye, FaninError, Normal, Orthogonal, TruncatedNormal, Uniform

KEY = {"seed": 5, "name": "w"}
FLOATING = [torch.float16, torch.bfloat16, torch.float32, torch.float64, torch.complex64, torch.complex128]
WHOLE = [torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64]


def name_of(dtype):
    return str(dtype).removeprefix("torch.")


def raw(tensor):
    """The elements' bytes, in C order."""
    return tensor.detach().reshape(-1).contiguous().view(torch.uint8).numpy().tobytes()


def assert_drawn(tensor, scheme):
    expected = scheme(tuple(tensor.shape), name_of(tensor.dtype), **KEY)
    assert raw(tensor) == expected.tobytes()


@pytest.mark.parametrize("dtype", FLOATING, ids=name_of)
@pytest.mark.parametrize("scheme", [Normal(), Uniform(-1, 1), TruncatedNormal()], ids=lambda s: type(s).__name__)
def test_every_dtype(scheme, dtype):
    """A tensor gets numpy's bits, bfloat16 and complex too, and is itself returned."""
    tensor = torch.full((7, 33), 9, dtype=dtype)
    assert scheme((7, 33), out=tensor, **KEY) is tensor
    assert_drawn(tensor, scheme)


@pytest.mark.parametrize("dtype", FLOATING + WHOLE, ids=name_of)
def test_constants_and_masks_of_every_dtype(dtype):
    """Constant and Eye also write integers and bool."""
    for scheme in (Constant(1), Eye()):
        tensor = torch.zeros((5, 4), dtype=dtype)
        assert_drawn(scheme((5, 4), out=tensor, **KEY), scheme)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.complex64], ids=name_of)
def test_strided_tensors(dtype):
    """Transposed, stepped, narrowed and channels-last tensors; what lies between their elements is left alone."""
    memory = torch.full((40, 30), 9, dtype=dtype)
    view = memory.T[3:20:4, 1::2]
    assert_drawn(Normal()(view.shape, out=view, **KEY), Normal())
    view.fill_(9)
    assert (memory == 9).all()

    image = torch.empty((4, 3, 5, 5), dtype=dtype).to(memory_format=torch.channels_last)
    assert_drawn(Normal()(image.shape, out=image, **KEY), Normal())
    assert image.is_contiguous(memory_format=torch.channels_last)


def test_large_tensors():
    """The parallel loop writes into a tensor's memory."""
    for tensor in (torch.empty(300, 401), torch.empty(401, 300, dtype=torch.bfloat16)):
        assert_drawn(Normal()(tensor.shape, out=tensor, **KEY), Normal())


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=name_of)
@pytest.mark.parametrize("shape", [(), (0,), (3, 0, 2)])
def test_scalars_and_empty_tensors(shape, dtype):
    """Rank 0 and size 0."""
    assert_drawn(Normal()(shape, out=torch.zeros(shape, dtype=dtype), **KEY), Normal())


def test_shards_and_orthogonal_matrices():
    """Everything that takes `out` takes tensors."""
    tensor = torch.empty(3, 5)
    Normal().shard((20, 5), slice(4, 10, 2), out=tensor, **KEY)
    np.testing.assert_array_equal(tensor.numpy(), Normal()((20, 5), **KEY)[4:10:2])

    tensor = torch.empty(8, 6)
    Orthogonal()((8, 6), out=tensor, **KEY)
    torch.testing.assert_close(tensor.T @ tensor, torch.eye(6), rtol=0, atol=1e-5)


@pytest.mark.parametrize("make", [
    lambda: torch.zeros(4, 3, requires_grad=True), lambda: torch.nn.Parameter(torch.zeros(4, 3)),
    lambda: torch.nn.Linear(3, 4, dtype=torch.bfloat16).weight,
])
def test_parameters(make):
    """A leaf that requires gradients is initialized in place: no operation is recorded, it stays a leaf."""
    tensor = make()
    assert Normal()((4, 3), out=tensor, **KEY) is tensor
    assert_drawn(tensor, Normal())
    assert tensor.requires_grad
    assert tensor.grad_fn is None
    assert tensor.is_leaf


def test_autograd_notices_the_write():
    """The version counter moves by one draw, so a backward pass over overwritten values is refused."""
    tensor = torch.ones(3, requires_grad=True)
    version = tensor._version
    loss = (tensor**2).sum()
    Normal()(3, out=tensor, **KEY)
    assert tensor._version == version + 1
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_inference_tensors():
    """Tensors without a version counter are filled too."""
    with torch.inference_mode():
        tensor = torch.zeros(7)
        assert_drawn(Normal()(7, out=tensor, **KEY), Normal())


REFUSED = {
    "meta": lambda: torch.empty(4, 3, device="meta"),
    "sparse": lambda: torch.zeros(4, 3).to_sparse(),
    "csr": lambda: torch.eye(4, 3).to_sparse_csr(),
    "conjugated": lambda: torch.zeros(4, 3, dtype=torch.complex64).conj(),
    "expanded": lambda: torch.zeros(1, 3).expand(4, 3),
    "another shape": lambda: torch.zeros(3, 4),
    "another rank": lambda: torch.zeros(4, 3, 1),
    "float8": lambda: torch.zeros(4, 3).to(torch.float8_e4m3fn),
    "integers": lambda: torch.zeros(4, 3, dtype=torch.int32),
}


@pytest.mark.filterwarnings("ignore:Sparse CSR tensor support is in beta:UserWarning")
@pytest.mark.parametrize("kind", REFUSED)
def test_refused(kind):
    """What can't be written raises in one line, moves no stream and leaves the tensor as it was."""
    tensor, stream = REFUSED[kind](), fanin.Stream(0)
    version, before = tensor._version, None if kind == "meta" else tensor.to_dense().to(torch.complex128).clone()
    with pytest.raises(FaninError) as caught:
        Normal()((4, 3), out=tensor, seed=stream)
    assert "\n" not in str(caught.value)
    assert stream.position == 0
    assert tensor._version == version
    assert before is None or torch.equal(tensor.to_dense().to(torch.complex128), before)


def fake():
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        return torch.empty(4, 3)


def distributed():
    """A DTensor of one process, without communication."""
    from torch.distributed.device_mesh import DeviceMesh
    from torch.distributed.tensor import DTensor, Replicate

    mesh = DeviceMesh("cpu", [0], _init_backend=False, _rank=0)
    return DTensor.from_local(torch.zeros(4, 3), mesh, [Replicate()], run_check=False)


NOT_HERE = {
    "fake": (fake, "FakeTensor"),
    "uninitialized": (lambda: torch.nn.LazyLinear(4).weight, "UninitializedParameter.*materialize"),
    "uninitialized buffer": (lambda: torch.nn.LazyBatchNorm1d().running_mean, "UninitializedBuffer.*materialize"),
    "nested": (lambda: torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)]), "nested.*unbind"),
    "jagged": (lambda: torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)], layout=torch.jagged),
               "nested.*unbind"),
    "distributed": (distributed, "DTensor.*fanin.torch.distribute"),
}


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors is in prototype stage:UserWarning")
@pytest.mark.parametrize("kind", NOT_HERE)
def test_tensors_whose_elements_are_elsewhere(kind):
    """Distributed, uninitialized, nested and fake tensors are refused by name, with what to do; compat.torch too."""
    make, why = NOT_HERE[kind]
    tensor, stream = make(), fanin.Stream(0)

    with pytest.raises(FaninError, match=f"`out`.*{why}") as caught:
        Normal()((4, 3), out=tensor, seed=stream)
    assert "\n" not in str(caught.value) and stream.position == 0
    if kind == "fake":  # as on meta: all is checked, nothing is drawn
        assert compat.kaiming_uniform_(tensor) is tensor and compat.zeros_(tensor) is tensor
        with pytest.raises(FaninError):
            compat.kaiming_uniform_(tensor[0])
    else:
        for function in (compat.normal_, compat.kaiming_uniform_, compat.zeros_):
            with pytest.raises(FaninError, match=f"`tensor`.*{why}"):
                function(tensor)


@pytest.mark.parametrize("name", ["float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz",
                                  "float8_e8m0fnu"])
def test_constants_into_float8_tensors(name):
    """torch's float8 tensors take constants, ones and, where they have a zero, zeros, in place."""
    tensor = torch.full((4, 6), 4.0).to(getattr(torch, name))
    assert Constant(0.5)((4, 3), out=tensor[:, ::2]) is not None and compat.ones_(tensor[:, 1::2]) is not None
    assert tensor.float().tolist() == [[0.5, 1.0] * 3] * 4
    if name != "float8_e8m0fnu":
        assert not compat.zeros_(tensor).float().any()


COMPILED = """
import sys
import torch
import fanin
import fanin.compat.torch
import fanin.torch

def into(x):
    fanin.Normal()((4, 3), out=x, seed=0, name="w")
    return x * 2

def fresh(x):
    return x + torch.from_numpy(fanin.Registry.get("he_normal").shard((8, 3), slice(2, 6), seed=0, name="w"))

def replaced(x):
    return fanin.compat.torch.kaiming_uniform_(x, generator=0) + 1

@fanin.sampler
def exponential(u, scale):
    return -scale * fanin.math.log(u)

class Exponential(fanin.Initializer):
    def plan(self, spec):
        return spec.draw(exponential, 2.0, std=2.0)

def described(x):
    return x + Exponential().describe((4, 3)).std

def words(x):
    return x + torch.from_numpy(fanin.stream.words(0, count=12).astype("float32").reshape(4, 3))

def replayed(x):
    return fanin.compat.torch.trunc_normal_(x, generator=fanin.compat.torch.Generator().manual_seed(3)) + 1

network = torch.nn.Linear(3, 4)

def module(x):
    fanin.torch.init_module(network, "he_normal", seed=3)
    return x + network.weight

def elementary(x):
    return x + float(fanin.math.exp(1.5)) * float(fanin.math.fma(0.1, 10.0, -1.0))

function = globals()[sys.argv[1]]
compiled = torch.compile(function, backend="eager")
for _ in range(2):
    assert torch.equal(compiled(torch.zeros(4, 3)), function(torch.zeros(4, 3)))
print("equal")
"""


@pytest.mark.parametrize("function", ["into", "fresh", "replaced", "described", "words", "replayed", "module",
                                      "elementary"])
def test_the_first_draw_inside_a_compiled_function(function):
    """torch.compile leaves draws out of its graph: a process's first draw there, and the next, give the same bits."""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", COMPILED, function], capture_output=True, text=True,
                          timeout=500)
    assert done.stdout == "equal\n", done.stderr[-2000:]


UNNAMED = """
import sys
import torch._dynamo
import fanin

def draw(x):
    fanin.Normal()((4, 3), seed=0)
    fanin.Normal()((5, 3), seed=0)  # line 8
    return x

draw = {"compiled": torch.compile(draw, backend="eager"), "plain": draw}[sys.argv[1]]
draw(torch.zeros(1))
"""


@pytest.mark.parametrize("function", ["plain", "compiled"])
def test_one_seed_for_two_tensors_is_told_beside_torchs_compiler(function):
    """With Dynamo loaded, as optimizers and transformers load it, and inside what it compiles: at the user's line."""
    done = subprocess.run([sys.executable, "-c", UNNAMED, function], capture_output=True, text=True, timeout=500)

    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stderr.startswith("<string>:8: FaninWarning: `seed` 0 without a `name` drew (4, 3)"), done.stderr


def test_a_draw_can_not_be_in_a_full_graph():
    """With `fullgraph=True` torch refuses a draw as it refuses any break, before anything is written."""
    full = torch.compile(lambda x: Normal()((4, 3), out=x, **KEY), backend="eager", fullgraph=True)
    tensor = torch.zeros(4, 3)

    with pytest.raises(torch._dynamo.exc.Unsupported, match="disable"):
        full(tensor)
    assert not tensor.any()
    assert Normal()((4, 3), out=tensor, **KEY).any()


def test_dtype_beside_out():
    """`dtype` may repeat the tensor's, as a name or as torch's own object, and nothing else."""
    tensor = torch.zeros(3, dtype=torch.bfloat16)
    for dtype in ("bfloat16", torch.bfloat16, None):
        Normal()(3, dtype, out=tensor, **KEY)
    with pytest.raises(FaninError, match="`dtype`"):
        Normal()(3, torch.float16, out=tensor)


@pytest.mark.parametrize("dtype", FLOATING, ids=name_of)
def test_torch_dtypes_and_devices_without_out(dtype):
    """torch's dtype and device objects say what numpy array to make."""
    array = Normal()((2, 3), dtype, torch.device("cpu"), **KEY)
    assert isinstance(array, np.ndarray)
    assert array.dtype.name == name_of(dtype)


def test_torch_is_not_imported_for_numpy():
    """A draw into numpy memory, bfloat16 included, does not load torch."""
    code = ("import sys, numpy as np, fanin; fanin.Normal()(3, 'bfloat16', seed=0); "
            "fanin.Normal()(3, out=np.zeros(3)); print('torch' in sys.modules)")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)
    assert done.stdout.strip() == "False", done.stderr


@pytest.mark.parametrize("draw", [
    lambda x: Normal()((2, 3), out=x, **KEY), lambda x: compat.uniform_(x), lambda x: Constant(x),
], ids=["out", "compat", "Constant"])
def test_inside_functionalize(draw):
    """A tensor of a function transform has no memory to draw into or to read from, and is refused."""
    with pytest.raises(TypeError, match="must have memory of its own.*functionalize") as error:
        torch.func.functionalize(draw)(torch.ones(2, 3))
    assert isinstance(error.value, FaninError)


@pytest.mark.parametrize("dtype", ["float8_e4m3fn", "float8_e5m2", "float8_e8m0fnu"])
def test_a_constant_of_a_float8_tensor(dtype):
    """Its values are kept, in JSON too, and drawn in float8 and in wider types."""
    tensor = torch.tensor([[1.0, 2.0], [0.5, 4.0]]).to(getattr(torch, dtype))
    scheme = Constant(torch.nn.Parameter(tensor, requires_grad=False))

    assert scheme((2, 2)).tolist() == [[1.0, 2.0], [0.5, 4.0]]
    assert raw(scheme((2, 2), out=torch.empty_like(tensor))) == raw(tensor)
    assert fanin.Initializer.from_config(scheme.get_config()) == scheme == eval(repr(scheme), {**vars(fanin), "np": np})


def tensors_without_values():
    with FakeTensorMode():
        fake = torch.ones(2)
    nested = torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], layout=torch.jagged)
    return [("in the first forward", torch.nn.LazyLinear(3).weight), ("in the first forward", UninitializedBuffer()),
            ("unbind()", nested), ("no elements", fake), ("no elements", torch.empty(2, device="meta")),
            ("to_dense()", torch.eye(2).to_sparse()), ("detach()", [torch.nn.Parameter(torch.ones(2))] * 2)]


@pytest.mark.parametrize(("words", "value"), tensors_without_values(), ids=lambda each: type(each).__name__)
def test_a_constant_of_no_values(words, value):
    """Lazy, nested, fake, meta and sparse tensors are no constant's value: one line, with what to do."""
    with pytest.raises(TypeError, match="`value`") as error:
        Constant(value)
    assert isinstance(error.value, FaninError) and "\n" not in str(error.value) and words in str(error.value)
