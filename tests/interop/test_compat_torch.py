"""`fanin.compat.torch` beside the real `torch.nn.init`: signatures, shapes, dtypes, returns, errors and warnings."""

import inspect
import math
import warnings

import numpy as np
import pytest
import torch

import fanin
from fanin.compat import storch, torch03
from fanin.compat import torch as ours

theirs = torch.nn.init
WITH_UNDERSCORE = sorted(name for name in theirs.__all__ if name.endswith("_"))
DEPRECATED = sorted(name for name in theirs.__all__ if not name.endswith("_") and name != "calculate_gain")
REQUIRED = {"constant_": (0.5,), "sparse_": (0.5,)}
SHAPES = {"eye_": (6, 4), "sparse_": (6, 4)}
KERNEL = (6, 4, 3)
RANDOM = [name for name in WITH_UNDERSCORE if "generator" in inspect.signature(getattr(theirs, name)).parameters]
REAL = [torch.float16, torch.bfloat16, torch.float32, torch.float64]


def shape_of(name):
    return SHAPES.get(name, KERNEL)


def call(module, name, tensor, *arguments, **named):
    return getattr(module, name)(tensor, *(arguments or REQUIRED.get(name, ())), **named)


def test_names():
    """Every public name of torch's module is here, and besides what gives its own numbers."""
    assert sorted(ours.__all__) == sorted([*theirs.__all__, "Generator", "find_seed", "replay", "reset_parameters"])


@pytest.mark.parametrize("name", theirs.__all__)
def test_signatures(name):
    """Names, kinds and defaults of the parameters, in order; more can be given by keyword only: a part of a draw."""
    def bare(function):
        return [(p.name, p.kind, p.default) for p in inspect.signature(function).parameters.values()
                if p.kind is not p.KEYWORD_ONLY]

    assert bare(getattr(ours, name)) == bare(getattr(theirs, name))


def permuted(shape, dtype):
    """A tensor of this shape whose last axis has the largest stride."""
    return torch.full(shape[::-1], 9.5, dtype=dtype).permute(*range(len(shape))[::-1])


@pytest.mark.parametrize("name", WITH_UNDERSCORE)
@pytest.mark.parametrize(("dtype", "strided"), [(torch.float32, False), (torch.bfloat16, False), (torch.float32, True)])
def test_tensors(name, dtype, strided):
    """A parameter is filled and returned; it keeps dtype, strides, and what autograd knows of it."""
    shape = shape_of(name)
    for requires_grad in (False, True):
        w = permuted(shape, dtype) if strided else torch.full(shape, 9.5, dtype=dtype)
        w.requires_grad_(requires_grad)
        before = (w.shape, w.stride(), w.dtype, w.device, w.requires_grad, w.data_ptr(), w._version)
        assert call(ours, name, w) is w
        assert (w.shape, w.stride(), w.dtype, w.device, w.requires_grad, w.data_ptr(), w._version - 1) == before
        assert w.grad_fn is None and w.is_leaf
        values = w.detach().double()
        assert torch.isfinite(values).all() and (values != 9.5).all()


@pytest.mark.parametrize("name", WITH_UNDERSCORE)
def test_the_same_bits_as_on_arrays(name):
    """A tensor, strided or not, and a numpy array get the same values."""
    random = {"generator": 3} if name in RANDOM else {}
    shape = shape_of(name)
    array = call(ours, name, np.empty(shape, np.float32), **random)
    for tensor in (torch.empty(shape), permuted(shape, torch.float32)):
        call(ours, name, tensor, **random)
        np.testing.assert_array_equal(tensor.numpy(), array)


@pytest.mark.parametrize("name", ["constant_", "ones_", "zeros_", "eye_", "dirac_"])
def test_constants_equal_torchs(name):
    """Constants, identities and Dirac kernels have torch's own values, in every dtype that torch fills."""
    for dtype in (*REAL, torch.complex64, torch.int8, torch.int32, torch.int64, torch.uint8, torch.bool):
        for shape in {"eye_": [(3, 5), (5, 3), (4, 4)], "dirac_": [(6, 4, 3), (4, 6, 4), (4, 4, 2, 3), (3, 2, 3, 4, 5)]
                      }.get(name, [(3, 5), (), (7,)]):
            expected, w = (torch.full(shape, 1, dtype=dtype) for _ in range(2))
            torch.testing.assert_close(call(ours, name, w), call(theirs, name, expected), rtol=0, atol=0)
    for groups in (1, 2, 3):
        w, expected = torch.empty(6, 3, 3), torch.empty(6, 3, 3)
        assert torch.equal(ours.dirac_(w, groups), theirs.dirac_(expected, groups))
    for value in (3.7, -3.7, 0, True, np.float32(2.5), torch.tensor(1.5)):
        w, expected = torch.empty(3, dtype=torch.int32), torch.empty(3, dtype=torch.int32)
        assert torch.equal(ours.constant_(w, value), theirs.constant_(expected, value))


LAWS = [
    *(("xavier_uniform_", shape, arguments) for shape in ((300, 500), (20, 50, 10, 15)) for arguments in ((), (2.0,))),
    *(("xavier_normal_", shape, arguments) for shape in ((300, 500), (20, 50, 10, 15)) for arguments in ((), (2.0,))),
    *((name, shape, arguments) for name in ("kaiming_uniform_", "kaiming_normal_")
      for shape in ((300, 500), (20, 50, 10, 15))
      for arguments in ((), (math.sqrt(5),), (0.1, "FAN_OUT"), (0, "fan_out", "tanh"), (0, "fan_in", "selu"))),
    ("uniform_", (150_000,), (-2.0, 3.0)), ("normal_", (150_000,), (1.0, 0.3)),
    ("trunc_normal_", (150_000,), ()), ("trunc_normal_", (150_000,), (0.5, 2.0, -1.0, 0.0)),
    ("trunc_normal_", (150_000,), (0.0, 1.0, 2.0, 3.0)),
    ("sparse_", (300, 500), (0.3, 0.7)),
]


def assert_alike(x, y):
    """Means and variances differ by less than 6 standard errors of the difference."""
    centre = y.mean()
    for a, b in ((x, y), ((x - centre) ** 2, (y - centre) ** 2)):
        assert abs(a.mean() - b.mean()).item() < 6 * math.sqrt((a.var() + b.var()).item() / a.numel())


@pytest.mark.parametrize(("name", "shape", "arguments"), LAWS)
def test_laws_equal_torchs(name, shape, arguments):
    """Mean and std agree with those of torch's own draw, from another seed (a false alarm: 4e-9)."""
    x = call(ours, name, torch.empty(shape, dtype=torch.float64), *arguments, generator=1)
    y = call(theirs, name, torch.empty(shape, dtype=torch.float64), *arguments,
             generator=torch.Generator().manual_seed(1))
    assert_alike(x, y)
    with pytest.raises(AssertionError):  # which sees a std that is 5 % too large
        assert_alike((x - y.mean()) * 1.05 + y.mean(), y)


def test_orthogonal_like_torchs():
    """The same side is orthonormal, and the gain multiplies."""
    for shape in ((30, 50), (50, 30), (8, 4, 3, 3), (40, 2, 3)):
        for module in (ours, theirs):
            w = module.orthogonal_(torch.empty(shape, dtype=torch.float64), 2).flatten(1)
            gram = w @ w.T if w.shape[0] <= w.shape[1] else w.T @ w
            torch.testing.assert_close(gram, 4 * torch.eye(len(gram), dtype=gram.dtype), rtol=0, atol=1e-12)


E = torch.empty
CALLS = {
    "a > b": lambda m: m.uniform_(E(3), a=1, b=0),
    "a == b": lambda m: m.uniform_(E(3), a=1, b=1),
    "infinite width": lambda m: m.uniform_(E(3), 0, math.inf),
    "std < 0": lambda m: m.normal_(E(3), 0, -1),
    "std == 0": lambda m: m.normal_(E(3), 2.0, 0),
    "uniform integers": lambda m: m.uniform_(E(3, dtype=torch.int32)),
    "normal integers": lambda m: m.normal_(E(3, dtype=torch.int32)),
    "normal bool": lambda m: m.normal_(E(3, dtype=torch.bool)),
    "orthogonal integers": lambda m: m.orthogonal_(E(3, 3, dtype=torch.int64)),
    "constant overflow": lambda m: m.constant_(E(3, dtype=torch.float16), 1e6),
    "constant 256 in uint8": lambda m: m.constant_(E(3, dtype=torch.uint8), 256),
    "imaginary constant": lambda m: m.constant_(E(3), 1j),
    "constant string": lambda m: m.constant_(E(3), "a"),
    "constant list": lambda m: m.constant_(E(3), [1, 2, 3]),
    "constant nan": lambda m: m.constant_(E(3), math.nan),
    "eye of a vector": lambda m: m.eye_(E(3)),
    "eye of a kernel": lambda m: m.eye_(E(3, 3, 3)),
    "eye of nothing": lambda m: m.eye_(E(0, 3)),
    "dirac of a matrix": lambda m: m.dirac_(E(4, 3)),
    "dirac of rank 6": lambda m: m.dirac_(E(2, 2, 2, 2, 2, 2)),
    "dirac groups": lambda m: m.dirac_(E(4, 3, 3), 3),
    "dirac of nothing": lambda m: m.dirac_(E(0, 3, 3)),
    "xavier of a vector": lambda m: m.xavier_normal_(E(2)),
    "xavier of a scalar": lambda m: m.xavier_uniform_(E(())),
    "xavier of nothing": lambda m: m.xavier_uniform_(E(0, 3)),
    "xavier gain < 0": lambda m: m.xavier_uniform_(E(2, 3), gain=-1),
    "xavier normal gain < 0": lambda m: m.xavier_normal_(E(2, 3), gain=-1),
    "xavier gain 0": lambda m: m.xavier_normal_(E(2, 3), gain=0),
    "kaiming of a vector": lambda m: m.kaiming_normal_(E(2)),
    "kaiming of nothing": lambda m: m.kaiming_normal_(E(0)),
    "kaiming of nothing, mode": lambda m: m.kaiming_uniform_(E(0, 3), mode="x"),
    "kaiming mode in capitals": lambda m: m.kaiming_uniform_(E(2, 3), mode="FAN_OUT"),
    "kaiming mode": lambda m: m.kaiming_uniform_(E(2, 3), mode="fan_avg"),
    "kaiming mode and rank": lambda m: m.kaiming_uniform_(E(2), mode="fan_avg"),
    "kaiming nonlinearity": lambda m: m.kaiming_uniform_(E(2, 3), nonlinearity="gelu"),
    "kaiming slope True": lambda m: m.kaiming_uniform_(E(2, 3), a=True),
    "kaiming slope None": lambda m: m.kaiming_uniform_(E(2, 3), a=None),
    "kaiming slope string": lambda m: m.kaiming_uniform_(E(2, 3), a="0"),
    "kaiming unused slope": lambda m: m.kaiming_uniform_(E(2, 3), a="0", nonlinearity="relu"),
    "orthogonal of a vector": lambda m: m.orthogonal_(E(2)),
    "orthogonal of nothing": lambda m: m.orthogonal_(E(0, 3)),
    "orthogonal transposed": lambda m: m.orthogonal_(E(4, 3).T),
    "sparse of a vector": lambda m: m.sparse_(E(4), 0.5),
    "sparse of nothing": lambda m: m.sparse_(E(0, 3), 0.5),
    "sparse std": lambda m: m.sparse_(E(4, 3), 0.5, std=-1),
    "sparse without sparsity": lambda m: m.sparse_(E(4, 3)),
    "trunc a == b": lambda m: m.trunc_normal_(E(4), a=2, b=2),
    "trunc a > b": lambda m: m.trunc_normal_(E(4), a=2, b=-2),
    "trunc of nothing": lambda m: m.trunc_normal_(E(0)),
    "expanded": lambda m: m.uniform_(torch.zeros(3).expand(4, 3)),
    "generator": lambda m: m.uniform_(E(3), generator="0"),
    "old name": lambda m: m.uniform(E(3)),
    "old name, refused": lambda m: m.eye(E(3)),
    "old name, arguments": lambda m: m.constant(E(3), val=2),
    "gain": lambda m: torch.tensor(m.calculate_gain("leaky_relu", 0.3), dtype=torch.float64),
    "gain of selu": lambda m: torch.tensor(m.calculate_gain("selu"), dtype=torch.float64),
    "gain with an unused slope": lambda m: torch.tensor(m.calculate_gain("relu", True), dtype=torch.float64),
    "gain of identity": lambda m: m.calculate_gain("identity"),
    "gain of a list": lambda m: m.calculate_gain(["relu"]),
    "gain slope": lambda m: m.calculate_gain("leaky_relu", True),
}


def outcome(call, module):
    """(result or exception, warnings as (category, text))."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = call(module)
        except Exception as error:
            result = error
    return result, [(warning.category, str(warning.message)) for warning in caught]


@pytest.mark.parametrize("case", CALLS)
def test_errors_and_warnings_equal_torchs(case):
    """What torch returns, raises and warns of, so does fanin; its exceptions are torch's and fanin's own."""
    expected, expected_warnings = outcome(CALLS[case], theirs)
    result, given_warnings = outcome(CALLS[case], ours)
    assert given_warnings == expected_warnings
    if isinstance(expected, Exception):
        # which arguments a call misses is Python's own message
        assert isinstance(result, (fanin.FaninError, TypeError)), result
        assert isinstance(result, type(expected)), result
    else:
        assert isinstance(result, torch.Tensor), result
        assert (result.shape, result.dtype) == (expected.shape, expected.dtype)
        if not torch.isfinite(expected).all() or expected.unique().numel() == 1:
            torch.testing.assert_close(result, expected, equal_nan=True)


MENDED = {  # torch raises, or does something else
    "xavier without elements": lambda m: m.xavier_uniform_(E(0, 0)),
    "an empty kernel": lambda m: m.dirac_(E(4, 3, 0)),
    "xavier of an empty kernel": lambda m: m.xavier_uniform_(E(2, 3, 0)),
    "orthogonal bfloat16": lambda m: m.orthogonal_(E(2, 3, dtype=torch.bfloat16)),
    "orthogonal complex": lambda m: m.orthogonal_(E(2, 3, dtype=torch.complex64)),
    "trunc std 0": lambda m: m.trunc_normal_(E(4), std=0),
    "trunc complex": lambda m: m.trunc_normal_(E(4, dtype=torch.complex64)),
}


@pytest.mark.parametrize("case", MENDED)
def test_what_torch_refuses(case):
    """These work here, and not in torch: when torch mends one, this test says so."""
    assert isinstance(outcome(MENDED[case], theirs)[0], Exception)
    assert isinstance(outcome(MENDED[case], ours)[0], torch.Tensor)


def test_no_warning_for_a_mean_far_outside():
    """torch warns that its truncated draw may be wrong there; fanin's isn't."""
    assert outcome(lambda m: m.trunc_normal_(E(4), mean=10), theirs)[1] != []
    assert outcome(lambda m: m.trunc_normal_(E(4), mean=10), ours)[1] == []


@pytest.mark.parametrize("name", WITH_UNDERSCORE)
def test_meta_tensors(name):
    """Nothing to fill: the tensor is returned, no stream moves; what would be refused is refused."""
    w, stream = torch.empty(shape_of(name), device="meta"), fanin.Stream(0)
    assert call(ours, name, w, **({"generator": stream} if name in RANDOM else {})) is w
    assert w.is_meta and stream.position == 0
    assert call(theirs, name, torch.empty(shape_of(name), device="meta")).is_meta


def test_meta_tensors_are_checked():
    """Rank, parameters and dtype, as of tensors with elements."""
    meta = {"device": "meta"}
    for refused in (lambda: ours.eye_(E(3, **meta)), lambda: ours.uniform_(E(3, **meta), 1, 0),
                    lambda: ours.normal_(E(3, dtype=torch.int32, **meta)), lambda: ours.dirac_(E(3, 3, 3, **meta), 2)):
        with pytest.raises(fanin.FaninError):
            refused()


def test_autograd_notices_the_write():
    """The version counter moves, so a backward pass over overwritten values is refused, as after torch's own."""
    for name in WITH_UNDERSCORE:
        w = torch.ones(shape_of(name), requires_grad=True)
        loss = (w**2).sum()
        call(ours, name, w)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            loss.backward()


def test_inside_a_model():
    """Loops over a module's parameters go on as they were; training goes on afterwards."""
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.Flatten(), torch.nn.Linear(8 * 36, 5))

    def start(module):
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear)):
            ours.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu", generator=stream)
            ours.zeros_(module.bias)

    stream = fanin.Stream(0)
    model.apply(start)
    first = {name: value.clone() for name, value in model.state_dict().items()}
    loss = model(torch.ones(2, 3, 8, 8)).square().sum()
    loss.backward()
    torch.optim.SGD(model.parameters(), 0.1).step()
    assert not torch.equal(model[0].weight, first["0.weight"])
    stream = fanin.Stream(0)
    model.apply(start)
    assert all(torch.equal(value, first[name]) for name, value in model.state_dict().items())


@pytest.mark.parametrize("name", RANDOM)
def test_torch_generators(name):
    """A torch.Generator gives each call one new seed: torch.manual_seed repeats a run; a refused call takes none."""
    def run(generator):
        return [call(ours, name, torch.empty(shape_of(name)), generator=generator) for _ in range(2)]

    first, again = run(torch.Generator().manual_seed(5)), run(torch.Generator().manual_seed(5))
    assert torch.equal(first[0], again[0]) and torch.equal(first[1], again[1])
    assert not torch.equal(first[0], first[1])
    assert not torch.equal(first[0], run(torch.Generator().manual_seed(6))[0])

    runs = [run(torch.manual_seed(7)), run(torch.manual_seed(7))]
    assert torch.equal(runs[0][1], runs[1][1])

    generator = torch.Generator().manual_seed(5)
    before = generator.get_state()
    with pytest.raises(fanin.FaninError):
        call(ours, name, torch.empty(shape_of(name), dtype=torch.int32), generator=generator)
    call(ours, name, torch.empty(shape_of(name), device="meta"), generator=generator)
    assert torch.equal(generator.get_state(), before)
    array = call(ours, name, np.empty(shape_of(name), np.float32), generator=generator)
    np.testing.assert_array_equal(array, first[0].numpy())
    seed = int(torch.randint(2**63 - 1, (1,), generator=torch.Generator().manual_seed(5), dtype=torch.int64))
    np.testing.assert_array_equal(array, call(ours, name, np.empty(shape_of(name), np.float32), generator=seed))


def test_without_a_generator_torchs_seed_has_no_part():
    """None is fanin's default stream: fanin.seed repeats, and torch's global state stays where it is."""
    torch.manual_seed(0)
    state = torch.get_rng_state()
    runs = []
    for _ in range(2):
        fanin.seed(1)
        runs.append(ours.normal_(torch.empty(5)))
    assert torch.equal(*runs)
    assert torch.equal(torch.get_rng_state(), state)


def test_sparse_masks_follow_the_generator():
    """Mended: torch takes the zeros' rows from its default generator, whatever it is given."""
    masks = {}
    for module in (ours, theirs):
        torch.manual_seed(0)
        masks[module] = [module.sparse_(torch.empty(50, 50), 0.5, generator=torch.Generator().manual_seed(3)) == 0
                         for _ in range(2)]
    assert torch.equal(*masks[ours])
    assert not torch.equal(*masks[theirs])


def test_half_precision_uniform_never_returns_its_upper_end():
    """Mended: torch's half types round up to it (pytorch #96947)."""
    for dtype in (torch.float16, torch.bfloat16):
        assert ours.uniform_(torch.empty(10**5, dtype=dtype), generator=0).max() < 1


def test_scalars_of_torch_as_parameters():
    """0-dimensional tensors are numbers, as in torch."""
    w = ours.uniform_(E(100), torch.tensor(2.0), torch.tensor(3.0), generator=0)
    assert torch.equal(w, ours.uniform_(E(100), 2.0, 3.0, generator=0))


@pytest.mark.parametrize(("module", "uniform", "xavier"), [(torch03, "uniform", "xavier_normal"),
                                                         (storch, "uniform_", "xavierNormal_")])
def test_the_other_torch_interfaces_take_tensors(module, uniform, xavier):
    """torch 0.3's and storch's functions fill tensors too, and know torch's generators."""
    for name in (uniform, xavier):
        w = torch.zeros(6, 4, dtype=torch.bfloat16, requires_grad=True)
        assert getattr(module, name)(w, generator=torch.Generator().manual_seed(1)) is w
        expected = getattr(module, name)(torch.zeros(6, 4, dtype=torch.bfloat16),
                                         generator=torch.Generator().manual_seed(1))
        assert torch.equal(w, expected) and w.is_leaf and w._version == 1
        assert (w != 0).all()


def test_storch_trunc_is_torchs():
    """trunc_ on tensors is torch.trunc_, without a gradient recorded."""
    for dtype in REAL:
        w = torch.linspace(-3, 3, 41, dtype=dtype)[::2].requires_grad_()
        expected = w.detach().clone().trunc_()
        assert storch.trunc_(w) is w
        assert torch.equal(w, expected) and w.grad_fn is None
    for tensor in (torch.tensor([-3, 3]), torch.empty(3, device="meta")):
        assert storch.trunc_(tensor) is tensor
    with pytest.raises(fanin.FaninTypeError, match="`t` must be of a real dtype"):
        storch.trunc_(torch.tensor([1.5j]))
