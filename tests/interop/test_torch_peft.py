"""peft's models: the plain model's names and bits, and adapters that start as the identity."""

import copy

import pytest
import torch
from peft import IA3Config, LoraConfig, get_peft_model
from torch import distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from fanin import Constant, FaninTypeError, FaninWarning, Registry
from fanin.rules import Parameter, Rules
from fanin.torch import init_module, parameters

# peft freezes the model that it adapts, and speaks of its own future
pytestmark = [pytest.mark.filterwarnings("ignore:drawn, though frozen:fanin.FaninWarning"),
              pytest.mark.filterwarnings("ignore::FutureWarning")]
PLAIN = {"*.bias": "zeros", "*": {"name": "normal", "std": 0.5}}
RULES = {"*.lora_B.*": "zeros", "*lora_embedding_A.*": "zeros", **PLAIN}


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(10, 9, padding_idx=0)
        self.body = nn.Sequential(nn.Linear(9, 9), nn.ReLU(), nn.Linear(9, 9))
        self.conv = nn.Conv1d(9, 9, 3, padding=1)
        self.head = nn.Linear(9, 4)

    def forward(self, tokens):
        hidden = self.body(self.embedding(tokens))
        return self.head(self.conv(hidden.mT).mT)


TOKENS = torch.arange(10).reshape(2, 5)
CONFIGS = {
    "lora": {"target_modules": ["0", "2"]},
    "embedding, conv": {"target_modules": ["embedding", "conv"]},
    "dora": {"target_modules": ["embedding", "0", "conv"], "use_dora": True},
    "bias": {"target_modules": ["0"], "lora_bias": True, "bias": "all"},
    "saved head": {"target_modules": ["0"], "modules_to_save": ["head"]},
}


def adapted(config, device="cpu"):
    with torch.device(device):
        return get_peft_model(Net(), LoraConfig(r=2, **CONFIGS[config]))


def plain(rules, seed=7):
    net = Net()
    init_module(net, rules, seed=seed)
    return net


@pytest.mark.parametrize("device", ["cpu", "meta"])
@pytest.mark.parametrize("rules", ["transformer", "torch", "he_normal"])
@pytest.mark.parametrize("config", CONFIGS)
def test_an_adapter_starts_as_the_identity(config, rules, device):
    """The base has the plain model's names and bits, and with the adapter the model computes the same."""
    expected = plain(rules)
    model = adapted(config, device)
    if device == "cpu":
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.fill_(3)  # as if they had been trained
    table = init_module(model, rules, seed=7, device=device if device == "cpu" else "cpu")
    rows = {row.parameter.name: row.parameter for row in table}
    for each in parameters(expected):
        assert rows[each.name] == each
    named = {row.parameter.name: tensor for row, tensor in zip(table, model.parameters(), strict=True)}
    for name, parameter in expected.named_parameters():
        assert torch.equal(named[name], parameter), name
    assert not any("lora_A" in name and not tensor.any() for name, tensor in named.items())
    with torch.no_grad():
        torch.testing.assert_close(model.eval()(TOKENS), expected.eval()(TOKENS), rtol=1e-5, atol=1e-5)


def test_the_laws():
    """A of a Linear is uniform within 1/sqrt(in), of an Embedding zero; B the other way; peft's own initialization."""
    model = get_peft_model(nn.Sequential(nn.Linear(64, 8), nn.Embedding(30, 64)), LoraConfig(
        r=32, target_modules=["0", "1"]))
    init_module(model, "transformer", seed=0)
    weights = dict(model.named_parameters())
    first = weights["base_model.model.0.lora_A.default.weight"]
    expected = Registry.get("kaiming_uniform", scale=1 / 3)((32, 64), seed=0, name="0.lora_A.default.weight")
    assert torch.equal(first, torch.from_numpy(expected))
    assert 0.12 < first.abs().max() <= 1 / 8
    assert not weights["base_model.model.0.lora_B.default.weight"].any()
    assert not weights["base_model.model.1.lora_embedding_A.default"].any()
    assert weights["base_model.model.1.lora_embedding_B.default"].std().item() == pytest.approx(1, abs=0.05)


def test_names_of_an_adapters_checkpoint():
    """peft saves an adapter without the name that it has in the model: the sets know it all the same."""
    named = [Parameter(f"base_model.model.layers.0.q_proj.lora_{each}.weight", (4, 4), torch.zeros(1).numpy().dtype)
             for each in "AB"]
    for name in ("transformer", "torch"):
        first, second = Rules.read(name).assign(named)
        assert first.plan.std == pytest.approx(1 / (4 * 3) ** 0.5)
        assert second.scheme == Constant(0.0)


def test_dora_follows_the_weights():
    """The magnitudes are the norms of the drawn rows, in the memory that they have; not asked about, and told."""
    model = adapted("dora")
    layer = model.base_model.model.body[0]
    magnitude = layer.lora_magnitude_vector.default.weight
    table = init_module(model, RULES, seed=1)
    assert layer.lora_magnitude_vector.default.weight is magnitude
    torch.testing.assert_close(magnitude, layer.base_layer.weight.norm(dim=1))
    notes = {row.parameter.name: row.note for row in table}
    assert notes["body.0.lora_magnitude_vector.default.weight"] == "computed from body.0.weight"

    with torch.no_grad():
        magnitude.fill_(5)
    init_module(model, {"head.*": "zeros", "*": "keep"}, seed=1)
    assert (magnitude == 5).all()


def test_a_saved_module_is_a_copy():
    """What `modules_to_save` trains starts as the module that it stands for; kept, where that is kept."""
    model = adapted("saved head")
    table = init_module(model, {"*.lora_B.*": "zeros", **PLAIN}, seed=1)
    head = model.base_model.model.head
    assert torch.equal(head.modules_to_save.default.weight, plain(PLAIN, 1).head.weight)
    assert head.modules_to_save.default.weight is not head.original_module.weight
    assert {row.parameter.name: row.note for row in table}["head.modules_to_save.default.bias"] == "a copy of head"
    with torch.no_grad():
        head.modules_to_save.default.weight.fill_(5)
    init_module(model, {"head.*": "keep", "*": "ones"}, seed=1)
    assert (head.modules_to_save.default.weight == 5).all()


def test_adapters_of_stacked_parameters():
    """Adapters that lie in each other, one for each parameter of a module, keep names of their own."""
    class Experts(nn.Module):
        def __init__(self):
            super().__init__()
            self.up, self.down = nn.Parameter(torch.ones(3, 4, 6)), nn.Parameter(torch.ones(3, 6, 4))

        def forward(self, value):
            return value @ self.up @ self.down

    net = nn.ModuleDict({"experts": Experts()})
    model = get_peft_model(net, LoraConfig(r=2, target_modules=[], target_parameters=["experts.up", "experts.down"]))
    names = [each.name for each in parameters(model)]
    assert sorted(names) == sorted(["experts.up", "experts.down", *(f"experts.{inner}lora_{each}.default.weight"
                                                                    for inner in ("", "base_layer.") for each in "AB")])
    init_module(model, {"*.lora_B.*": "zeros", "*": "ones"}, seed=1)


def test_a_random_adapter_is_told():
    """Rules that draw what starts from zeros, so that the adapted model is another one, are warned about."""
    with pytest.warns(FaninWarning, match=r"adapter's weight gets random values .*body\.0\.lora_B\.default\.weight"):
        init_module(adapted("lora"), PLAIN, seed=1)


@pytest.mark.parametrize(("config", "kind"), [
    (IA3Config(target_modules=["0"], feedforward_modules=[]), r"ia3\.layer\.Linear at 'base_model\.model\.body\.0'"),
    (LoraConfig(target_modules=["0"], trainable_token_indices={"embedding": [1, 2]}), "TrainableTokensWrapper"),
], ids=["IA3", "tokens"])
def test_other_adapters_are_refused(config, kind):
    """What isn't known is refused by name, before anything is written."""
    model = get_peft_model(Net(), config)
    before = copy.deepcopy(model.state_dict())
    with pytest.raises(FaninTypeError, match=f"{kind}.*before get_peft_model"):
        init_module(model, "transformer", seed=0)
    assert all(map(torch.equal, before.values(), model.state_dict().values()))


@pytest.fixture
def mesh():
    """A group of one process."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield init_device_mesh("cpu", (1,))
    dist.destroy_process_group()


def test_sharded_adapters(mesh):
    """LoRA's under FSDP2 are those of the whole module, and each base has the plain model's bits."""
    whole, sharded = adapted("lora"), fully_shard(adapted("lora", "meta"), mesh=mesh)
    init_module(whole, "transformer", seed=7)
    init_module(sharded, "transformer", seed=7, device="cpu")
    found = {name: tensor.full_tensor() for name, tensor in sharded.named_parameters()}
    assert found.keys() == dict(whole.named_parameters()).keys()
    assert all(torch.equal(found[name], tensor) for name, tensor in whole.named_parameters())


def test_sharded_magnitudes_are_refused(mesh):
    """DoRA's are norms of whole rows: what to do is said, and nothing is written."""
    model = fully_shard(adapted("dora"), mesh=mesh)
    before = [tensor.full_tensor().clone() for tensor in model.parameters()]
    with pytest.raises(FaninTypeError, match="lora_magnitude_vector.*initialize it before it is sharded"):
        init_module(model, "transformer", seed=7)
    assert all(torch.equal(old, tensor.full_tensor()) for old, tensor in zip(before, model.parameters(), strict=True))


def test_a_model_of_transformers(tmp_path):
    """A tied Llama with adapters from the meta device: the plain model's bits, and so after merging."""
    from transformers import AutoModelForCausalLM, LlamaConfig

    config = LlamaConfig(vocab_size=99, hidden_size=32, intermediate_size=52, num_hidden_layers=2,
                         num_attention_heads=4, num_key_value_heads=2, tie_word_embeddings=True)
    expected = AutoModelForCausalLM.from_config(config)
    init_module(expected, "transformer", seed=7)
    with torch.device("meta"):
        model = get_peft_model(AutoModelForCausalLM.from_config(config), LoraConfig(
            r=4, target_modules="all-linear", use_dora=True))
    init_module(model, "transformer", seed=7, device="cpu")
    merged = model.merge_and_unload()
    for (name, parameter), (_, other) in zip(merged.named_parameters(), expected.named_parameters(), strict=True):
        torch.testing.assert_close(parameter, other, rtol=1e-5, atol=1e-8, msg=name)
