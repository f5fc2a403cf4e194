"""One rank of the processes that test_deepspeed.py starts: `python zero3_worker.py RANK RANKS FOLDER`."""

import sys
from pathlib import Path

import deepspeed
import torch
from torch import nn

from fanin import FaninValueError
from fanin.torch import init_module, verify_module

rank, ranks, folder = int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3])


def make():
    return nn.Sequential(nn.Embedding(11, 6, padding_idx=0), nn.Linear(6, 8), nn.LayerNorm(8), nn.Linear(8, 3))


torch.distributed.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=ranks)
deepspeed.ops.__compatible_ops__.clear()  # else it compiles collectives of its own, where gloo's do
deepspeed.init_distributed(dist_backend="gloo")
with deepspeed.zero.Init(config_dict_or_path={"train_micro_batch_size_per_gpu": 1, "zero_optimization": {"stage": 3}}):
    net = make()
assert all(parameter.shape == (0,) for parameter in net.parameters())
before = [parameter.ds_tensor.clone() for parameter in net.parameters()]
for refused in (init_module, verify_module):
    for rules in ("he_normal", "torch", {"*": "ones"}):
        try:
            refused(net, rules, seed=7)
        except FaninValueError as error:
            assert "ZeRO-3 has split 0.weight, 1.weight, 1.bias and 4 more" in str(error), error
        else:
            raise AssertionError(refused)
assert all(map(torch.equal, before, (parameter.ds_tensor for parameter in net.parameters())))

for name, part in net.named_children():
    with deepspeed.zero.GatheredParameters(list(part.parameters()), modifier_rank=0):
        init_module(part, "he_normal", seed=7, prefix=name)
expected = make()
init_module(expected, "he_normal", seed=7)
with deepspeed.zero.GatheredParameters(list(net.parameters())):
    assert [name for name, _ in net.named_parameters()] == [name for name, _ in expected.named_parameters()]
    assert all(map(torch.equal, net.parameters(), expected.parameters()))
    assert str(verify_module(net, "he_normal", seed=7)).startswith("OK, 7 tensors")
torch.distributed.destroy_process_group()
(folder / f"passed{rank}").touch()
