"""`fanin.compat.torch.Generator` beside the installed torch: the same calls, the same bits and the same states.

Other releases run this file too: docs/coming-from.md says from which on it passes. It needs torch on AVX2 or AVX-512.
"""

import random

import pytest
import torch
from torch import nn

import fanin
import fanin.compat.torch as ft

pytestmark = [
    pytest.mark.skipif(torch.backends.cpu.get_cpu_capability() not in ("AVX2", "AVX512"), reason="torch's own numbers "
                       "differ without AVX2"),
    pytest.mark.filterwarnings("ignore:mean is more than 2 std:UserWarning"),
]

DTYPES = [torch.float32, torch.float64, torch.float16, torch.bfloat16]
SIZES = [0, 1, 2, 3, 7, 15, 16, 17, 31, 32, 33, 47, 623, 624, 625, 1000, 10_007]
LAYOUTS = {
    "contiguous": lambda dtype: torch.empty(30, 20, dtype=dtype),
    "transposed": lambda dtype: torch.empty(20, 30, dtype=dtype).t(),
    "permuted": lambda dtype: torch.empty(3, 4, 5, 6, dtype=dtype).permute(2, 0, 3, 1),
    "channels last": lambda dtype: torch.empty(2, 3, 4, 4, dtype=dtype).to(memory_format=torch.channels_last),
    "every second": lambda dtype: torch.empty(12, 31, dtype=dtype)[:, ::2],
}
SCHEMES = [
    ("uniform_", {"a": -0.3, "b": 1.7}), ("normal_", {"mean": 0.1, "std": 0.7}), ("xavier_uniform_", {}),
    ("xavier_normal_", {"gain": 1.3}), ("kaiming_uniform_", {"a": 5**0.5}),
    ("kaiming_normal_", {"mode": "fan_out", "nonlinearity": "relu"}),
    ("trunc_normal_", {"std": 0.3, "a": -0.4, "b": 0.5}), ("trunc_normal_", {"mean": 0.1, "a": 0.7, "b": 0.9}),
]


def same_place(generator):
    """Whether the generator is where torch's default one is."""
    return bool((generator.get_state() == torch.get_rng_state().numpy()).all())


def compare(calls, seed):
    """Calls (function's name, a tensor, arguments) in a row, by torch and by fanin."""
    torch.manual_seed(seed)
    generator = ft.Generator().manual_seed(seed)
    for name, tensor, arguments in calls:
        mine = torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype)
        getattr(nn.init, name)(tensor, **arguments)
        getattr(ft, name)(mine, **arguments, generator=generator)

        assert torch.equal(tensor, mine), (name, tensor.dtype, tensor.shape, tensor.stride(), arguments)
        assert same_place(generator), (name, tensor.dtype, tensor.shape)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_any_size(dtype):
    """Every scheme of vectors, for sizes around 16 and around a block of words; twice, as a normal may be kept."""
    vectors = [(name, torch.empty(n, dtype=dtype), arguments)
               for n in SIZES for name, arguments in SCHEMES if name in ("uniform_", "normal_", "trunc_normal_")
               if n or name != "trunc_normal_" for _ in range(2)]
    compare(vectors, 5)


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_any_layout(layout, dtype):
    """Every scheme, and sparse_, on tensors that lie in memory in any order."""
    calls = [(name, LAYOUTS[layout](dtype), arguments) for name, arguments in SCHEMES]
    if calls[0][1].ndim == 2:
        calls.append(("sparse_", LAYOUTS[layout](dtype), {"sparsity": 0.3, "std": 0.2}))
    compare(calls, 2**40 + 6)


def test_any_truncation():
    """200 truncations at random, over both of torch's branches, dtypes and layouts."""
    chosen = random.Random(3)
    for _ in range(200):
        tensor = LAYOUTS[chosen.choice(list(LAYOUTS))](chosen.choice(DTYPES))
        low = chosen.uniform(-3, 3)
        arguments = {"mean": chosen.uniform(-1, 1), "std": chosen.uniform(0.1, 2), "a": low,
                     "b": low + chosen.uniform(0.01, 2)}
        compare([("trunc_normal_", tensor, arguments)], chosen.randrange(2**32))


def test_a_million_numbers():
    """Large draws, which threads share, are torch's too."""
    compare([(name, torch.empty(2**22 + 5, dtype=dtype), {}) for name in ("uniform_", "normal_")
             for dtype in (torch.float32, torch.float16)], 7)


@pytest.mark.parametrize("shape", [(5, 5), (40, 7), (7, 40), (6, 3, 2), (300, 300)], ids=str)
def test_orthogonal_matrices_are_close(shape):
    """Within 1e-5 of torch's, of which the last bits are LAPACK's; the generator goes on as torch's."""
    torch.manual_seed(4)
    generator = ft.Generator().manual_seed(4)
    for dtype, bound in ((torch.float32, 1e-5), (torch.float64, 1e-12)):
        w = nn.init.orthogonal_(torch.empty(shape, dtype=dtype), gain=1.5)
        mine = ft.orthogonal_(torch.empty(shape, dtype=dtype), gain=1.5, generator=generator)

        assert (w - mine).abs().max() < bound
        assert same_place(generator)


def test_states_go_both_ways():
    """A run is handed over in the middle, a kept normal included: from torch to fanin, and back."""
    torch.manual_seed(9)
    torch.empty(7).normal_()
    generator = ft.Generator()
    generator.set_state(torch.get_rng_state())
    assert generator.initial_seed() == torch.initial_seed()

    assert ft.normal_(torch.empty(5), generator=generator).equal(torch.empty(5).normal_())
    ft.normal_(torch.empty(1000), generator=generator)
    torch.set_rng_state(torch.from_numpy(generator.get_state()))
    assert ft.uniform_(torch.empty(5), generator=generator).equal(torch.empty(5).uniform_())


def test_a_torch_generator_is_followed():
    """Draws by torch and by fanin in turns from one torch.Generator are torch's draws."""
    theirs, followed = torch.Generator().manual_seed(3), torch.Generator().manual_seed(3)
    generator = ft.Generator.follow(followed)
    for n in (3, 100, 16, 1):
        expected = torch.empty(n).normal_(generator=theirs), torch.empty(n).uniform_(generator=theirs)
        drawn = ft.normal_(torch.empty(n), generator=generator), torch.empty(n).uniform_(generator=followed)
        assert all(map(torch.equal, expected, drawn))

    generator.manual_seed(8)
    assert followed.initial_seed() == 8


def test_parameters_and_meta_tensors():
    """A parameter's version moves and no gradient is recorded; on meta nothing is drawn."""
    generator = ft.Generator().manual_seed(0)
    parameter = nn.Parameter(torch.empty(4, 4))
    before = parameter._version

    assert ft.normal_(parameter, generator=generator) is parameter
    assert parameter._version > before and parameter.grad_fn is None

    place = generator.get_state()
    ft.trunc_normal_(torch.empty(4, 4, device="meta"), generator=generator)
    assert (generator.get_state() == place).all()


# -- whole modules -----------------------------------------------------------------------------------------------------


class Own(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(3, 50)
        self.list = nn.ModuleList([nn.ConvTranspose1d(2, 3, 4), nn.GRUCell(3, 9)])
        self.dict = nn.ModuleDict({"x": nn.Bilinear(3, 4, 5), "y": nn.PReLU()})


MODULES = {
    "layers": lambda: nn.Sequential(nn.Linear(10, 20), nn.Conv2d(3, 8, 3), nn.Embedding(30, 7, padding_idx=2),
                                    nn.LSTM(5, 6, 2, bidirectional=True), nn.Linear(4, 4, bias=False),
                                    nn.BatchNorm2d(8), nn.EmbeddingBag(20, 5), nn.GroupNorm(2, 4)),
    "half": lambda: nn.Conv3d(2, 2, 2, dtype=torch.bfloat16),
    "double": lambda: nn.Linear(5, 700, dtype=torch.float64),
    "class": Own,
    "attention": lambda: nn.MultiheadAttention(16, 4, kdim=8, vdim=4, add_bias_kv=True),
    "encoder": lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32), 3, enable_nested_tensor=False),
    "transformer": lambda: nn.Transformer(16, 2, 2, 2, 32),
    "softmax": lambda: nn.AdaptiveLogSoftmaxWithLoss(16, 100, [10, 40]),
    "projected": lambda: nn.LSTM(3, 8, proj_size=4),
}


@pytest.mark.filterwarnings("ignore:.*batch_first:UserWarning")
@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_as_constructed(name, device):
    """Every parameter and buffer is what constructing the module under the seed gives, and so is the state after it."""
    torch.manual_seed(11)
    expected = MODULES[name]().state_dict()
    generator = ft.Generator().manual_seed(11)
    with torch.device(device):
        module = MODULES[name]()

    assert ft.reset_parameters(module, generator) is module

    found = module.state_dict()
    assert list(found) == list(expected)
    assert all(torch.equal(found[key], expected[key]) for key in expected)
    assert all(parameter.requires_grad for parameter in module.parameters())
    torch.manual_seed(11)
    MODULES[name]()
    assert same_place(generator)


class WithParameter(nn.Module):
    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(2, 2)
        self.scale = nn.Parameter(torch.ones(2))


def tied():
    module = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    module[1].weight = module[0].weight
    return module


@pytest.mark.parametrize(("make", "says"), [
    (WithParameter, "a WithParameter, which has parameters or buffers of its own"),
    (tied, "which shares a tensor with another layer"),
    (lambda: nn.Sequential(nn.Linear(2, 2), nn.LazyLinear(3)), "(got 1, a LazyLinear, which has no shape"),
    (lambda: nn.utils.parametrizations.weight_norm(nn.Linear(2, 2)), "which has parameters or buffers of its own"),
    (lambda: nn.Sequential(nn.Linear(2, 2), nn.ParameterList([torch.ones(2)])), "a ParameterList"),
], ids=["own parameter", "tied", "lazy", "parametrized", "list"])
def test_modules_whose_construction_is_unknown_are_refused(make, says):
    """Before anything is drawn."""
    module, generator = make(), ft.Generator().manual_seed(0)
    before = [parameter.clone() for parameter in module.parameters() if not nn.parameter.is_lazy(parameter)]

    with pytest.raises(fanin.FaninError) as raised:
        ft.reset_parameters(module, generator)

    assert says in str(raised.value)
    after = [parameter for parameter in module.parameters() if not nn.parameter.is_lazy(parameter)]
    assert all(map(torch.equal, before, after))
    assert (generator.get_state() == ft.Generator().manual_seed(0).get_state()).all()


@pytest.mark.parametrize(("arguments", "says"), [
    ((3, ft.Generator()), "`module` must be a torch.nn.Module"),
    ((nn.Linear(2, 2), torch.Generator()), "`generator` must be a fanin.compat.torch.Generator"),
])
def test_what_is_no_module_or_generator_is_refused(arguments, says):
    """By type."""
    with pytest.raises(TypeError) as raised:
        ft.reset_parameters(*arguments)

    assert says in str(raised.value)
