"""One rank of the processes that test_torch_sharded.py starts: `python sharded_worker.py RANK RANKS FOLDER`.

Rank 0 writes what the test compares into FOLDER; what only a rank can see is asserted here.
"""

import os
import resource
import sys
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import nn
from torch.distributed import checkpoint
from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper
from torch.distributed.fsdp import CPUOffloadPolicy, FullyShardedDataParallel, MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import DTensor, Replicate, Shard, init_device_mesh
from torch.distributed.tensor import zeros as distributed_zeros
from torch.distributed.tensor.debug import CommDebugMode
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module
from torch.distributed.tensor.placement_types import _StridedShard

import fanin
from fanin.torch import distribute, init_module, verify_module

SEED = 7
RULES = [{"match": "*.bias", "init": {"name": "uniform", "low": -0.1, "high": 0.1}},
         {"match": "norm.weight", "init": "ones"}, {"match": "*", "init": "kaiming_normal"}]
TENSORS = {  # name: (shape, dtype, scheme)
    "even": ((64, 48), "float32", "kaiming_normal"), "uneven": ((37, 11), "bfloat16", "truncated_normal"),
    "blocks": ((3, 5, 7), "float32", "uniform"), "narrow": ((2, 1), "float32", "kaiming_normal"),
    "none": ((0, 4), "float64", "ones"), "mask": ((9, 9), "float32", "eye"),
    "sparse": ((40, 12), "float32", {"scheme": "sparse", "sparsity": 0.3}),
}
LAYOUTS = {  # the shape of a mesh: placements
    (1,): [[Replicate()], [Shard(0)]],
    (2,): [[Replicate()], [Shard(0)], [Shard(-1)], [_StridedShard(0, split_factor=3)]],
    (4,): [[Shard(0)], [Shard(1)]],
    (2, 2): [[Shard(0), Shard(0)], [Shard(0), Replicate()], [Replicate(), Shard(1)], [Shard(1), Shard(0)],
             [_StridedShard(0, split_factor=2), Shard(0)], [_StridedShard(1, split_factor=3), Replicate()]],
}
ORTHOGONAL = (150, 70)
LARGE = (2**13, 2**14)  # half a GiB of float32
TOKENS = torch.arange(12).reshape(3, 4)


class Model(nn.Module):
    """A language model in outline; its sizes are multiples neither of two nor of four ranks."""

    def __init__(self, tied=False):
        super().__init__()
        self.embedding = nn.Embedding(37, 18)
        self.blocks = nn.Sequential(*(nn.Sequential(nn.Linear(18, 26), nn.GELU(), nn.Linear(26, 18)) for _ in range(2)))
        self.norm = nn.LayerNorm(18)
        self.head = nn.Linear(18, 37, bias=False)
        if tied:
            self.head.weight = self.embedding.weight

    def forward(self, tokens):
        hidden = self.embedding(tokens)
        return self.head(self.norm(hidden + self.blocks[1](self.blocks[0](hidden))))


def on_meta(**options):
    with torch.device("meta"):
        return Model(**options)


def plain(seed=SEED, **options):
    """The module in one process."""
    model = Model(**options)
    init_module(model, RULES, seed=seed)
    return model


def whole(module):
    """All parameters, gathered."""
    return {name: (parameter.full_tensor() if isinstance(parameter, DTensor) else parameter).detach()
            for name, parameter in module.named_parameters()}


def assert_equal(found, expected):
    assert list(found) == list(expected)
    for name, tensor in expected.items():
        assert torch.equal(found[name], tensor), name


def assert_own_part_only(module, **options):
    """Initialize: without a collective, and with as many elements drawn as the rank holds, each once."""
    drawn, shard = [], fanin.Initializer.shard

    def recorded(self, shape, index, **arguments):
        drawn.append((arguments["name"], index, arguments["out"].numel()))
        return shard(self, shape, index, **arguments)

    with pytest.MonkeyPatch.context() as patch, CommDebugMode() as communication:
        patch.setattr(fanin.Initializer, "shard", recorded)
        init_module(module, RULES, seed=SEED, **options)
    assert communication.get_total_counts() == 0
    assert len({(name, str(index)) for name, index, _ in drawn}) == len(drawn)
    assert sum(size for _, _, size in drawn) == sum(
        parameter.to_local().numel() for parameter in module.parameters() if isinstance(parameter, DTensor)) > 0
    verified(module)


def verified(module):
    """What was drawn compares equal on each rank without communication; one element that is changed is found."""
    with CommDebugMode() as communication:
        assert str(verify_module(module, RULES, seed=SEED)).startswith("OK, ")
    assert communication.get_total_counts() == 0
    name, parameter = next((name, each) for name, each in module.named_parameters()
                           if isinstance(each, DTensor) and each.to_local().numel())
    local = parameter.to_local().detach()
    kept = local.flatten()[-1].clone()
    local.view(-1)[-1] = 5.0
    (difference,) = verify_module(module, RULES, seed=SEED).differences
    assert (difference.found, difference.differing) == (5.0, 1), name
    local.view(-1)[-1] = kept


def layouts(mesh, save):
    """Every tensor over every mesh of this many ranks."""
    found = {}
    for dims, choices in LAYOUTS.items():
        if torch.Size(dims).numel() == mesh.size():
            grid = init_device_mesh("cpu", dims)
            for placements in choices:
                for name, (shape, dtype, scheme) in TENSORS.items():
                    with CommDebugMode() as communication:
                        tensor = distribute(scheme, shape, grid, placements, dtype=dtype, seed=SEED, name=name)
                    assert communication.get_total_counts() == 0
                    found[name, f"{dims} {placements}"] = tensor.full_tensor()
    save("layouts", found)
    stream = fanin.Stream(SEED)  # unnamed draws: each takes one stream id, in however many blocks it is made
    unnamed = [distribute("normal", (9, 5), mesh, [_StridedShard(0, split_factor=2)], seed=stream) for _ in range(2)]
    save("unnamed", [tensor.full_tensor() for tensor in unnamed])
    assert stream.position == 2
    save("orthogonal", distribute("orthogonal", ORTHOGONAL, mesh, [Shard(0)], seed=SEED, name="q").full_tensor())


def fsdp(mesh, save):
    """`fully_shard` on the meta device, nested; then a forward pass, after which the root's parameters are whole."""
    model = on_meta()
    names = [name for name, _ in model.named_parameters()]
    for part in (*model.blocks, model):
        fully_shard(part, mesh=mesh)
    assert [name for name, _ in model.named_parameters()] == names
    model.to_empty(device="cpu")
    assert_own_part_only(model)
    save("fsdp", whole(model))
    if mesh.size() == 4:
        checkpoint.save(model.state_dict(), checkpoint_id=FOLDER / "saved by 4")

    assert torch.equal(model(TOKENS), plain()(TOKENS))
    assert not isinstance(model.head.weight, DTensor)
    init_module(model, RULES, seed=SEED + 1)
    assert_equal(whole(model), whole(plain(SEED + 1)))
    out = model(TOKENS)
    assert torch.equal(out, plain(SEED + 1)(TOKENS))
    out.sum().backward()
    assert_equal(whole(model), whole(plain(SEED + 1)))


def fsdp_variants(mesh, save):
    """Materialized before; by init_module itself, in mixed precision; tied, offloaded; in the usual wrappers."""
    model = fully_shard(Model(), mesh=mesh)
    init_module(model, RULES, seed=SEED)
    assert_equal(whole(model), whole(plain()))

    model = fully_shard(on_meta(), mesh=mesh, mp_policy=MixedPrecisionPolicy(param_dtype=torch.bfloat16))
    assert_own_part_only(model, device="cpu")
    assert_equal(whole(model), whole(plain()))
    assert model(TOKENS).dtype == torch.bfloat16

    model = on_meta(tied=True)
    fully_shard([model.embedding, model.head], mesh=mesh, offload_policy=CPUOffloadPolicy(pin_memory=False))
    fully_shard(model, mesh=mesh, offload_policy=CPUOffloadPolicy(pin_memory=False))
    init_module(model, RULES, seed=SEED, device="cpu")
    assert model.head.weight is model.embedding.weight
    assert_equal(whole(model), whole(plain(tied=True)))
    assert torch.equal(model(TOKENS), plain(tied=True)(TOKENS))

    model = on_meta()
    for number, block in enumerate(model.blocks):
        model.blocks[number] = fully_shard(torch.compile(checkpoint_wrapper(block)), mesh=mesh)
    table = init_module(fully_shard(model, mesh=mesh), RULES, seed=SEED, device="cpu")
    assert_equal(dict(zip([row.parameter.name for row in table], whole(model).values(), strict=True)), whole(plain()))


def refusals(mesh, save):
    """What would make ranks differ, or be lost, is refused before anything is written."""
    weight = torch.ones(mesh.size(), 3)
    for module, error in [(fully_shard(Model(), mesh=mesh), "`seed` must be given, the same on every rank"),
                          (nn.parallel.DistributedDataParallel(Model()), "`seed` must be given"),
                          (FullyShardedDataParallel(Model(), device_id=torch.device("cpu")), "fully_shard")]:
        before = [parameter.detach().clone() for parameter in module.parameters()]
        with pytest.raises(fanin.FaninError, match=error):
            init_module(module, RULES, seed=None if "seed" in error else SEED)
        for old, parameter in zip(before, module.parameters(), strict=True):
            assert torch.equal(getattr(old, "_local_tensor", old), getattr(parameter, "_local_tensor", parameter))
    with pytest.raises(fanin.FaninValueError, match="`seed` must be given"):
        distribute("normal", weight.shape, mesh, [Shard(0)])


def tensor_parallel(mesh, save):
    """Two ways of data parallelism over two of tensor parallelism: strided shards, and replicas."""
    grid = init_device_mesh("cpu", (2, 2), mesh_dim_names=("data", "tensor"))
    columns, rows = ColwiseParallel, RowwiseParallel
    plan = {"embedding": rows(input_layouts=Replicate()), "head": columns(output_layouts=Replicate())}
    for block in "01":
        plan |= {f"blocks.{block}.0": columns(), f"blocks.{block}.2": rows()}
    model = parallelize_module(on_meta(), grid["tensor"], plan)
    for part in (*model.blocks, model):
        fully_shard(part, mesh=grid["data"])
    assert any(isinstance(each, _StridedShard) for each in model.head.weight.placements)
    model.to_empty(device="cpu")
    assert_own_part_only(model)
    save("tensor_parallel", whole(model))
    torch.testing.assert_close(model(TOKENS), plain()(TOKENS))

    model = parallelize_module(Model(), grid["tensor"], plan)
    init_module(model, RULES, seed=SEED)
    assert_equal(whole(model), whole(plain()))

    model = fully_shard(on_meta(), mesh=grid)  # replicated over the first dimension
    init_module(model, RULES, seed=SEED, device="cpu")
    assert_equal(whole(model), whole(plain()))


def memory(mesh, save):
    """A rank's peak grows by its own part, a quarter of the tensor, and 32 MiB at most."""
    distribute("normal", 2**20, mesh, [Shard(0)], seed=0)
    before, peak = resident(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    tensor = distribute("normal", LARGE, mesh, [Shard(0)], seed=SEED, name="large")
    own = tensor.to_local().nbytes
    assert own * 4 == 2**29
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 <= max(peak, before + own + 2**25)
    last = LARGE[0] // 4 * (mesh.get_local_rank() + 1) - 1
    corner = fanin.Normal().shard(LARGE, (last, slice(-64, None)), seed=SEED, name="large")
    assert torch.equal(tensor.to_local()[-1, -64:], torch.from_numpy(corner))


def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def torch_itself(mesh, save):
    """torch draws one and the same shard on every rank of a mesh of CPUs."""
    torch.manual_seed(0)
    tensor = distributed_zeros(8, 3, device_mesh=mesh, placements=[Shard(0)])
    with pytest.warns(UserWarning, match="DTensor random operators may not have complete support on cpu"):
        nn.init.normal_(tensor)
    save("torch_itself", tensor.full_tensor())


def load(mesh, save):
    """Two ranks read what four have written."""
    model = fully_shard(on_meta(), mesh=mesh)
    init_module(model, RULES, seed=0, device="cpu")
    state = model.state_dict()
    checkpoint.load(state, checkpoint_id=FOLDER / "saved by 4")
    model.load_state_dict(state)
    assert_equal(whole(model), whole(plain()))


JOBS = {1: [layouts, fsdp], 2: [layouts, fsdp, fsdp_variants, refusals, load],
        4: [memory, layouts, fsdp, tensor_parallel, torch_itself]}
FOLDER = Path()


def main(rank, ranks, folder):
    global FOLDER
    FOLDER = Path(folder)
    dist.init_process_group("gloo", init_method=f"file://{FOLDER}/store-{ranks}", rank=rank, world_size=ranks)
    mesh = init_device_mesh("cpu", (ranks,))

    def save(name, tensors):
        if rank == 0:
            torch.save(tensors, FOLDER / f"{name}-{ranks}.pt")

    for job in JOBS[ranks]:
        job(mesh, save)
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
