"""Sharded torch: however many ranks and however split, each makes its own part, and together it is the whole tensor.

Ranks are real processes that talk through gloo on the loopback device. What one rank does by itself is tested in this
process, as a rank of a process group whose other members don't exist.
"""

import contextlib
import itertools
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch.distributed import checkpoint
from torch.distributed._shard import sharded_tensor
from torch.distributed._shard.sharding_spec import ChunkShardingSpec
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Partial, Replicate, Shard, distribute_tensor, init_device_mesh
from torch.distributed.tensor._shards_wrapper import LocalShardsWrapper
from torch.distributed.tensor.placement_types import _StridedShard
from torch.testing._internal.distributed.fake_pg import FakeStore

import fanin
from fanin import FaninError, FaninTypeError, FaninValueError, Normal, Registry
from fanin.cli import main
from fanin.torch import distribute, init_module
from fanin.torch._layout import Split, lengths, runs_held
from fanin.torch._sharded import fill, is_sharded
from interop.sharded_worker import ORTHOGONAL, RULES, SEED, TENSORS, Model, plain, whole

WORKER = Path(__file__).with_name("sharded_worker.py")
KEY = {"seed": SEED, "name": "w"}


def launch(ranks, folder, seconds=300):
    """Run the worker in `ranks` processes; the first failure, or the end of the time, ends all."""
    env = os.environ | {"GLOO_SOCKET_IFNAME": "lo", "OMP_NUM_THREADS": "1"}
    logs = [folder / f"log-{ranks}-{rank}" for rank in range(ranks)]
    running = []
    try:
        for rank, log in enumerate(logs):
            with log.open("w") as stream:
                running.append(subprocess.Popen([sys.executable, WORKER, str(rank), str(ranks), folder], env=env,
                                                stdout=stream, stderr=stream))
        end = time.monotonic() + seconds
        while any(process.poll() is None for process in running):
            if time.monotonic() > end or any(process.poll() for process in running):
                break
            time.sleep(0.05)
    finally:
        for process in running:
            process.kill()
    codes = [process.wait() for process in running]
    failed = [log.read_text()[-4000:] for log, code in zip(logs, codes, strict=True) if code not in (0, -9)]
    assert codes == [0] * ranks, f"exit codes {codes} on {ranks} ranks\n" + "\n".join(failed or [logs[0].read_text()])


@pytest.fixture(scope="module")
def expected():
    """Every tensor and the module, drawn in this process. Compiles what the ranks will need, once for all of them."""
    tensors = {}
    for name, (shape, dtype, init) in TENSORS.items():
        scheme = Registry.get(init)
        tensors[name] = torch_of(scheme(shape, dtype, seed=SEED, name=name))
        columns = scheme.shard(shape, (..., slice(1, None)), dtype, seed=SEED, name=name)
        assert torch.equal(torch_of(columns), tensors[name][..., 1:])
    return tensors, whole(plain())


@pytest.fixture(scope="module")
def results(tmp_path_factory, expected):
    """The folder into which one, two and four ranks have written."""
    folder = tmp_path_factory.mktemp("ranks")
    for ranks in (4, 2, 1):  # two ranks read what four have written
        launch(ranks, folder)
    return folder


def torch_of(array):
    if array.dtype.name == "bfloat16":
        return torch.from_numpy(array.view(np.uint16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def assert_equal(found, wanted):
    assert list(found) == list(wanted)
    for name, tensor in wanted.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor), name


# -- one, two and four processes -----------------------------------------------------------------------------------


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_tensors_over_any_mesh(results, expected, ranks):
    """`distribute` over every mesh and placement gives the bits of the tensor drawn whole, and no rank communicates."""
    found = torch.load(results / f"layouts-{ranks}.pt")
    assert len(found) == len(TENSORS) * {1: 2, 2: 4, 4: 8}[ranks]
    for (name, layout), tensor in found.items():
        assert torch.equal(tensor, expected[0][name]), (name, layout)


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_unnamed_tensors_from_a_stream(results, ranks):
    """Each unnamed tensor takes one stream id, also when a rank's part is several blocks."""
    stream = fanin.Stream(SEED)
    for found in torch.load(results / f"unnamed-{ranks}.pt"):
        assert torch.equal(found, torch_of(Normal()((9, 5), seed=stream)))


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_orthogonal_within_its_bound(results, ranks):
    """The rows of an orthogonal matrix that ranks make apart fit together within the promised 1e-5."""
    found = torch.load(results / f"orthogonal-{ranks}.pt").double()
    whole_matrix = torch_of(fanin.Orthogonal()(ORTHOGONAL, seed=SEED, name="q")).double()
    assert (found - whole_matrix).abs().max() <= 1e-5
    assert (found.T @ found - torch.eye(ORTHOGONAL[1], dtype=torch.double)).abs().max() <= 1e-5


@pytest.mark.parametrize("ranks", [1, 2, 4])
def test_fully_sharded_modules(results, expected, ranks):
    """FSDP2 over any number of ranks: the module of one process. (The worker also trains it and draws it anew.)"""
    assert_equal(torch.load(results / f"fsdp-{ranks}.pt"), expected[1])


def test_tensor_parallel_modules(results, expected):
    """FSDP2 over tensor parallelism, whose shards are strided: the module of one process."""
    assert_equal(torch.load(results / "tensor_parallel-4.pt"), expected[1])


def test_the_checkpoint_of_fanin_init(expected, tmp_path):
    """The same names, shapes, rules and seed on the command line write the bits that the ranks have drawn."""
    table = {name: {"shape": list(tensor.shape), "dtype": "F32"} for name, tensor in expected[1].items()}
    (tmp_path / "table.json").write_text(json.dumps(table))
    (tmp_path / "rules.json").write_text(json.dumps({"rule": RULES}))
    assert main(["init", str(tmp_path / "table.json"), "--rules", str(tmp_path / "rules.json"), "--seed", str(SEED),
                 "-o", str(tmp_path / "model.safetensors")]) == 0
    loaded = load_file(tmp_path / "model.safetensors")
    assert_equal({name: loaded[name] for name in expected[1]}, expected[1])


@pytest.mark.filterwarnings("ignore:torch.distributed is disabled:UserWarning")
def test_a_distributed_checkpoint_in_one_process(results, expected):
    """What four ranks have saved loads where there is no process group. (And on two ranks: the worker does it.)"""
    state = Model().state_dict()
    checkpoint.load(state, checkpoint_id=results / "saved by 4", no_dist=True)
    assert_equal(state, expected[1])


def test_torch_repeats_its_shards(results):
    """On a mesh of CPUs torch's own `normal_` gives all ranks one shard. This is what fanin is not like."""
    shards = torch.load(results / "torch_itself-4.pt").chunk(4)
    assert all(torch.equal(shard, shards[0]) for shard in shards)


# -- one rank of many ----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def rank_of(rank, ranks):
    """This process as one rank; collectives of this group return nonsense, and nothing here may use one."""
    dist.init_process_group("fake", rank=rank, world_size=ranks, store=FakeStore())
    try:
        yield
    finally:
        dist.destroy_process_group()


@pytest.fixture
def mesh():
    """Rank 5 of eight in a mesh of 2 × 4: its place is (1, 1)."""
    with rank_of(5, 8):
        yield init_device_mesh("cpu", (2, 4))


@pytest.mark.parametrize("rank", [0, 300, 511])
def test_a_rank_of_512(rank):
    """An 8 GiB matrix over 16 × 32 ranks: each makes its 16 MiB by itself, strided or not."""
    shape, rows = (2**20, 2**11), 2**11
    with rank_of(rank, 512):
        grid = init_device_mesh("cpu", (16, 32))
        for first, place in ((Shard(0), rank), (_StridedShard(0, split_factor=32), rank % 32 * 16 + rank // 32)):
            part = distribute("normal", shape, grid, [first, Shard(0)], **KEY).to_local()
            index = slice(place * rows, (place + 1) * rows)
            assert torch.equal(part, torch_of(Normal().shard(shape, index, **KEY)))


splits = st.lists(st.tuples(st.integers(1, 5), st.integers(1, 4)), min_size=1, max_size=3)


@settings(deadline=None, max_examples=200, derandomize=True)
@given(size=st.integers(0, 60), splits=splits, strided=st.booleans())
def test_splits_are_those_of_torch(size, splits, strided):
    """The indices that any rank holds are those that torch's own placements give it, ascending runs of them."""
    for position in itertools.product(*(range(parts) for parts, _ in splits)):
        held = torch.arange(size)
        for (parts, factor), place in zip(splits, position, strict=True):
            placement = _StridedShard(0, split_factor=factor) if strided else Shard(0)
            held = placement._split_tensor(held, parts, with_padding=False)[0][place]
        runs = runs_held(size, [Split(parts, place, factor if strided else 1)
                                for (parts, factor), place in zip(splits, position, strict=True)])
        assert [index for start, stop in runs for index in range(start, stop)] == held.tolist()
        assert lengths([runs]) == (len(held),)
        assert all(stop < start for (_, stop), (start, _) in itertools.pairwise(runs))


@pytest.mark.parametrize("placements", [
    [Shard(0), Shard(1)], [Shard(1), Replicate()], [_StridedShard(1, split_factor=4), Shard(0)],
    [_StridedShard(0, split_factor=4), Shard(0)], [Shard(0), _StridedShard(0, split_factor=3)],
], ids=str)
def test_tensors_like_those_of_torch(mesh, placements):
    """Local tensor, placements, shape and strides are those that `distribute_tensor` gives."""
    for shape in [(33, 17), (5, 3), (1, 1), (64, 64)]:
        made = distribute("normal", shape, mesh, placements, **KEY)
        given = distribute_tensor(torch_of(Normal()(shape, **KEY)), mesh, placements, src_data_rank=None)
        assert torch.equal(made.to_local(), given.to_local())
        assert (made.shape, made.stride(), made.placements) == (given.shape, given.stride(), given.placements)


def test_scalars_and_dtypes(mesh):
    """A scalar is on every rank; the dtype is torch's default one, or any that the scheme draws."""
    both = [Replicate(), Replicate()]
    assert torch.equal(distribute("normal", (), mesh, both, **KEY).to_local(), torch_of(Normal()((), **KEY)))
    assert distribute("zeros", 3, mesh, both, seed=0, dtype=torch.int64).dtype == torch.int64
    before = torch.get_default_dtype()
    try:
        torch.set_default_dtype(torch.bfloat16)
        assert distribute("zeros", 3, mesh, both, seed=0).dtype == torch.bfloat16
    finally:
        torch.set_default_dtype(before)


def test_a_rank_outside_the_mesh():
    """It holds nothing, draws nothing, and its stream moves as that of the others."""
    with rank_of(3, 4):
        mesh = dist.device_mesh.DeviceMesh("cpu", [0, 1])
        stream = fanin.Stream(0)
        tensor = distribute("normal", (8, 4), mesh, [Shard(0)], seed=stream)
        assert tensor.to_local().numel() == 0
        assert tensor.shape == (8, 4)
        assert stream.position == 1
        fill(tensor, lambda index, out: pytest.fail("drawn"))


# -- filling what others have made ---------------------------------------------------------------------------------


def draw(shape):
    return lambda index, out: Normal().shard(shape, index, out=out, **KEY)


@pytest.mark.parametrize("local", [
    torch.zeros(6, 4).T, torch.zeros(8, 12)[::2, ::2], torch.zeros(4, 6, requires_grad=True),
    torch.zeros(3, 4, 6)[1]], ids=["transposed", "stepped", "differentiable", "inside"])
def test_local_tensors_of_any_strides(mesh, local):
    """A local tensor may lie in memory in any way; what is between its elements stays."""
    tensor = DTensor.from_local(local, mesh, [Shard(0), _StridedShard(1, split_factor=2)], shape=torch.Size((8, 24)),
                                stride=(24, 1))
    storage = tensor._local_tensor.untyped_storage()
    fill(tensor, draw((8, 24)))
    columns = [*range(3, 6), *range(15, 18)]
    assert torch.equal(tensor.to_local(), torch_of(Normal()((8, 24), **KEY))[4:][:, columns])
    everything = torch.empty(0).set_(storage)
    assert everything.count_nonzero() == local.numel()


def test_several_local_tensors(mesh):
    """Local shards of a LocalShardsWrapper (TorchRec's) are filled where they lie."""
    parts = [torch.zeros(5, 3), torch.zeros(5, 2)]
    wrapper = LocalShardsWrapper(parts, [(0, 4), (0, 10)])
    tensor = DTensor.from_local(wrapper, mesh, [Replicate(), Shard(1)], shape=torch.Size((5, 20)), stride=(20, 1))
    fill(tensor, draw((5, 20)))
    full = torch_of(Normal()((5, 20), **KEY))
    assert torch.equal(parts[0], full[:, 4:7])
    assert torch.equal(parts[1], full[:, 10:12])


def test_autograd_notices_the_write(mesh):
    """A parameter stays a leaf, and a backward pass over its old values is refused."""
    made = distribute("ones", (8, 8), mesh, [Shard(0), Shard(1)], seed=0)
    parameter = torch.nn.Parameter(made)
    loss = (parameter * parameter).to_local().sum()
    fill(parameter, draw((8, 8)))
    assert parameter.is_leaf
    assert parameter.grad_fn is None
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        loss.backward()


def test_a_model_of_transformers():
    """From a config, on meta, fully sharded: tied, its rotary buffers filled, each rank's rows those of the whole."""
    from transformers import AutoModelForCausalLM, LlamaConfig

    config = LlamaConfig(vocab_size=99, hidden_size=32, intermediate_size=52, num_hidden_layers=2,
                         num_attention_heads=4, num_key_value_heads=2, tie_word_embeddings=True)
    single = AutoModelForCausalLM.from_config(config)
    init_module(single, "transformer", seed=SEED)
    with rank_of(1, 4):
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config)
        for part in (*model.model.layers, model):
            fully_shard(part, mesh=init_device_mesh("cpu", (4,)))
        init_module(model, "transformer", seed=SEED, device="cpu")
        assert model.lm_head.weight is model.model.embed_tokens.weight
        assert_equal({name: parameter.to_local() for name, parameter in model.named_parameters()},
                     {name: parameter.chunk(4)[1] for name, parameter in single.named_parameters()})
        assert_equal(dict(model.named_buffers()), dict(single.named_buffers()))


def partial_sum(mesh):
    return DTensor.from_local(torch.zeros(4, 6), mesh, [Shard(0), Partial()])


def without_its_shape(mesh):
    local = torch.zeros(2, 6)  # 5 rows over 2 ranks are 3 and 2; torch takes them for 4
    return DTensor.from_local(local, mesh, [Shard(0), Replicate()], shape=torch.Size((6, 6)), stride=(6, 1))


def legacy(mesh):
    ranks = [f"rank:{rank}/cpu" for rank in range(8)]
    return sharded_tensor.empty(ChunkShardingSpec(dim=0, placements=ranks), 16, 4)


@pytest.mark.parametrize(("make", "error", "text"), [
    (partial_sum, FaninValueError, "must be Shard or Replicate"),
    (without_its_shape, FaninValueError, r"must have the local shape .* \(3, 6\)"),
    (legacy, FaninTypeError, "must be a DTensor"),
    (lambda mesh: distribute("ones", (8, 6), mesh, [Shard(0), Replicate()], seed=0).to("meta"), FaninValueError,
     "to_empty"),
], ids=["partial", "shape", "ShardedTensor", "meta"])
def test_what_can_not_be_filled(mesh, make, error, text):
    """It is refused in one line, before anything is drawn."""
    tensor = make(mesh)
    assert is_sharded(tensor)
    with pytest.raises(error, match=text) as caught:
        fill(tensor, lambda index, out: pytest.fail("drawn"))
    assert "\n" not in str(caught.value)


def test_a_partial_parameter_leaves_the_module_alone(mesh):
    """A module with a tensor that can't be drawn is not initialized at all; the message has the tensor's name."""
    module = torch.nn.Linear(6, 4)
    module.bias = torch.nn.Parameter(DTensor.from_local(torch.zeros(4), mesh, [Partial(), Replicate()]))
    before = module.weight.detach().clone()
    with pytest.raises(FaninValueError, match="'bias'.*Partial"):
        init_module(module, "torch", seed=0)
    assert torch.equal(module.weight, before)


ARGUMENTS = {
    "seed": (dict(seed=None), "`seed` must be given, the same on every rank"),
    "negative seed": (dict(seed=-1), "`seed` must be in"),
    "mesh": (dict(mesh="cpu"), "`mesh` must be a torch.distributed.DeviceMesh"),
    "one placement": (dict(placements=Shard(0)), "`placements` must be a sequence"),
    "too few": (dict(placements=[Shard(0)]), "`placements` must have an entry for each of the mesh's 2 dimensions"),
    "partial": (dict(placements=[Shard(0), Partial()]), "`placements` must be Shard or Replicate"),
    "dimension": (dict(placements=[Shard(0), Shard(2)]), "`placements` must split dimensions that the shape has"),
    "shape": (dict(shape=(-1, 2)), "`shape`"),
    "scheme": (dict(init="he_normal", shape=(5,), placements=[Shard(0), Shard(0)]), "`shape` must have at least 2"),
    "dtype": (dict(dtype="int32"), "dtype"),
    "name": (dict(name=3), "`name`"),
}


@pytest.mark.parametrize("case", ARGUMENTS)
def test_arguments_of_distribute(mesh, case):
    """A wrong argument is named in one line, and no stream moves."""
    changes, text = ARGUMENTS[case]
    stream = fanin.Stream(0)
    arguments = dict(init="normal", shape=(8, 6), mesh=mesh, placements=[Shard(0), Shard(-1)], seed=stream)
    with pytest.raises(FaninError, match=text) as caught:
        distribute(**arguments | changes)
    assert "\n" not in str(caught.value)
    assert stream.position == 0


def test_one_rank_may_use_the_default_stream():
    """Where there is only one rank, nothing can differ: None is as good a seed as anywhere."""
    with rank_of(0, 1):
        mesh = init_device_mesh("cpu", (1,))
        fanin.seed(3)
        assert torch.equal(distribute("normal", 5, mesh, [Shard(0)], name="w").to_local(),
                           torch_of(Normal()(5, seed=3, name="w")))
