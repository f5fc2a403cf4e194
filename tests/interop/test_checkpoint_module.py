"""`fanin.checkpoint` on torch modules: a module as the model, and its checkpoint verified after torch has saved it."""

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

import fanin.torch
from fanin import FaninError
from fanin.checkpoint import init, verify

RULES = [{"match": "*.weight", "layer": ["Conv*", "Linear"], "init": "he_normal"},
         {"match": "emb.weight", "init": "normal"}, {"match": "*.bias", "init": "zeros"},
         {"match": "*.running_var", "init": "ones"}, {"match": "*.weight", "rank": 1, "init": "ones"},
         {"match": "*.running_mean", "init": "zeros"}, {"match": "*.num_batches_tracked", "init": "zeros"}]


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.emb = nn.Embedding(20, 8, padding_idx=3)
        self.up = nn.ConvTranspose2d(8, 6, 3, groups=2)
        self.bn = nn.BatchNorm2d(6)
        self.head = nn.Linear(8, 20, bias=False, dtype=torch.bfloat16)
        self.tied = self.head


def test_a_module_on_meta_is_a_model(tmp_path):
    """Its checkpoint holds what `init_module` puts into the module, loads into it, and is verified without it."""
    with torch.device("meta"):
        model = Net()
    live = Net()
    fanin.torch.init_module(live, RULES[:3] + [{"match": "bn.weight", "init": "ones"}], seed=4)

    init(model, tmp_path / "out", RULES, seed=4, max_shard_size=1000)

    loaded = {}
    for path in (tmp_path / "out").glob("*.safetensors"):
        loaded |= load_file(path)
    assert all(torch.equal(loaded[name], tensor) for name, tensor in live.named_parameters())
    assert live.load_state_dict(loaded, strict=False).unexpected_keys == []
    assert loaded["emb.weight"][3].abs().max() == 0 < loaded["emb.weight"][4].abs().max()
    assert all(report.ok for report in verify(tmp_path / "out"))


def test_what_torch_saves_is_verified_with_rules_and_seed(tmp_path):
    """A module filled here and saved by torch: the same bits; after a step of training its parameters differ."""
    model = nn.Sequential(nn.Linear(8, 20), nn.ReLU(), nn.Linear(20, 3))
    fanin.torch.init_module(model, {"*.bias": "zeros", "*": "he_normal"}, seed=4)
    save_file(model.state_dict(), tmp_path / "before.safetensors")
    model(torch.ones(1, 8)).sum().backward()
    torch.optim.SGD(model.parameters(), 0.1).step()
    save_file(model.state_dict(), tmp_path / "after.safetensors")

    rules = {"*.bias": "zeros", "*": "he_normal"}
    assert verify(tmp_path / "before.safetensors", rules, seed=4)[0].ok
    assert {each.name for each in verify(tmp_path / "after.safetensors", rules, seed=4)[0].differences} == {
        "0.weight", "0.bias", "2.weight", "2.bias"}
    with pytest.raises(FaninError, match="`rules` and `seed` must be given"):
        verify(tmp_path / "before.safetensors")
