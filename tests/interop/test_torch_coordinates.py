"""`param_groups` and `coord_check`: a small transformer under muP keeps its activations over widths, others don't."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
import transformers
from torch import nn

import fanin
from fanin._signal.coordinates import GROWS
from fanin.torch import coord_check, init_module, param_groups

BASE, HEADS, VOCABULARY = 64, 4, 50
WIDTHS = (64, 128, 256, 512)
HIDDEN = ["q", "k", "v", "qkv", "attention_out", "mlp_in", "gate", "mlp_out"]
MUP = {
    "recipe": {
        "name": "small-mup", "title": "muP for Adam",
        "optimizer": [{"role": HIDDEN, "lr": "=base_width/width"}],
        "forward": [{"what": "logits", "factor": "=base_width/width"}],
    },
    "roles": {"*.wo": "attention_out"},
    "variables": {"std": {"default": 0.1}, "base_width": {"default": BASE}, "width": {"config": "hidden_size"}},
    "rule": [
        {"match": "*", "role": ["norm", "last_norm_of_block"], "init": "ones"},
        {"match": "*", "role": HIDDEN, "init": {"name": "normal", "std": "=std/sqrt(width/base_width)"}},
        {"match": "*", "role": ["token_embedding", "head"], "init": {"name": "normal", "std": "=std"}},
    ],
}
STANDARD = {"*norm*": "ones", "*": {"name": "normal", "std": 0.02}}


class Block(nn.Module):
    """Attention and an MLP, each added to what comes in; attention's logits are times `scale`."""

    def __init__(self, width, scale):
        super().__init__()
        self.attention_norm, self.ffn_norm = nn.LayerNorm(width, bias=False), nn.LayerNorm(width, bias=False)
        self.wq, self.wk, self.wv, self.wo = (nn.Linear(width, width, bias=False) for _ in range(4))
        self.fc1, self.fc2 = nn.Linear(width, 4 * width, bias=False), nn.Linear(4 * width, width, bias=False)
        self.scale = scale

    def forward(self, x):
        normed = self.attention_norm(x)
        q, k, v = (layer(normed).unflatten(-1, (HEADS, -1)).transpose(1, 2) for layer in (self.wq, self.wk, self.wv))
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True, scale=self.scale)
        x = x + self.wo(mixed.transpose(1, 2).flatten(2))
        return x + self.fc2(F.gelu(self.fc1(self.ffn_norm(x))))


class Transformer(nn.Module):
    """A decoder of two blocks, with muP's multipliers or without."""

    def __init__(self, width, multipliers):
        super().__init__()
        head = width // HEADS
        self.tok_embeddings = nn.Embedding(VOCABULARY, width)
        self.layers = nn.ModuleList(
            Block(width, math.sqrt(BASE / HEADS) / head if multipliers else head**-0.5) for _ in range(2))
        self.norm = nn.LayerNorm(width, bias=False)
        self.output = nn.Linear(width, VOCABULARY, bias=False)
        self.multiplier = BASE / width if multipliers else 1.0

    def forward(self, tokens):
        x = self.tok_embeddings(tokens)
        for layer in self.layers:
            x = layer(x)
        return self.output(self.norm(x) * self.multiplier)


TOKENS = torch.from_numpy(np.random.default_rng(1).integers(0, VOCABULARY, (4, 17)))


def loss(logits):
    return F.cross_entropy(logits.flatten(0, 1), TOKENS[:, 1:].flatten())


def check(recipe, multipliers, widths=WIDTHS, lr=1e-2, steps=3):
    return coord_check(lambda width: Transformer(width, multipliers), widths, recipe, TOKENS[:, :-1],
                       lambda groups: torch.optim.Adam(groups, lr=lr), loss=loss, steps=steps,
                       seed=3)


# -- the coordinate check ---------------------------------------------------------------------------------------------

@pytest.mark.parametrize("recipe", [
    fanin.Rules.from_config(MUP), fanin.Rules.read("mup", base_width=BASE, std=0.1, roles={"*.wo": "attention_out"})])
def test_mup_is_stable_over_widths(recipe):
    """With multipliers, weights and learning rates of muP no output grows; hidden ones keep their size."""
    found = check(recipe, multipliers=True)

    assert found.stable and found.growing == {} and found.words[0].startswith("Stable over widths 64 to 512")
    hidden = [powers for title, powers in found.powers.items() if title != "output"]
    assert len(hidden) == 20 and all(abs(power) < 0.15 for powers in hidden for power in powers)
    assert found.powers["output"][0] == pytest.approx(-0.5, abs=0.15)  # logits times 1/width of a sum with √width
    assert any("logits times base_width/width" in note for note in found.notes)


def test_standard_parametrization_grows():
    """N(0, 0.02) starts with width^½ in each matrix; Adam with one learning rate then adds up to width^1 and more."""
    found = check(STANDARD, multipliers=False)

    assert not found.stable and "Not stable" in found.words[0]
    for layer in ("layers.0.wq", "layers.1.fc1", "output"):
        assert found.powers[layer][0] == pytest.approx(0.5, abs=0.1)
    assert found.growing["layers.0.wo"] > 1.5 and found.growing["output"] > 0.7
    assert "norm" not in found.growing and any("one group" in note for note in found.notes)


def test_a_multiplier_that_is_missing_is_found_at_its_layer():
    """muP's weights and learning rates in a model without its multipliers: the logits grow, nothing before them."""
    found = check(fanin.Rules.from_config(MUP), multipliers=False, steps=1)

    assert list(found.growing) == ["output"] and "output" in found.words[0]


def test_learning_rates_that_are_not_scaled_are_found_after_a_step():
    """muP's weights and multipliers with one learning rate: all is well before the first step alone."""
    config = {**MUP, "recipe": {**MUP["recipe"], "optimizer": []}}
    found = check(fanin.Rules.from_config(config), multipliers=True, steps=2)

    assert not found.stable
    assert all(powers[0] < GROWS for powers in found.powers.values())


def test_outputs_that_are_not_finite_are_no_stability():
    """An infinite learning step is told of as such, in words and in every view."""
    found = check(STANDARD, multipliers=False, widths=(64, 128), lr=1e30, steps=1)

    assert not found.stable and "are not finite after step 1" in found.words[0]
    assert max(found.growing.values()) == math.inf and len(found.plot().axes) == 2 and "inf" in found.to_text()


def test_a_model_with_a_loss_of_its_own():
    """transformers' models take a mapping and give their loss; GPT-2's one std and learning rate grow with width."""
    def make_model(width):
        config = transformers.GPT2Config(vocab_size=VOCABULARY, n_embd=width, n_layer=1, n_head=HEADS, n_positions=17,
                                         bos_token_id=0, eos_token_id=0)
        return transformers.GPT2LMHeadModel(config)

    found = coord_check(make_model, (64, 128, 256), "gpt2", {"input_ids": TOKENS, "labels": TOKENS}, torch.optim.AdamW,
                        steps=1, seed=0)

    assert found.model == "GPT2LMHeadModel" and not found.stable
    assert found.powers["transformer.h.0.attn.c_attn"][0] == pytest.approx(0.5, abs=0.1)


def test_views_of_a_check(tmp_path):
    """Data, text, page and picture say the same figures and name what grows."""
    widths = (64, 128)
    found = check(STANDARD, multipliers=False, widths=widths)

    rows = found.to_dicts()
    assert len(rows) == 21 * 4 * 2 and {row["step"] for row in rows} == {0, 1, 2, 3}
    wq = {row["width"]: row["rms"] for row in rows if row["layer"] == "layers.0.wq" and row["step"] == 3}
    assert found.powers["layers.0.wq"][3] == pytest.approx(math.log(wq[128] / wq[64]) / math.log(2))
    assert found.words[0] in " ".join(found.to_text().split()) and "layers.0.wq" in found.to_text(unfold=True)
    upper, lower = found.plot().axes
    drawn = {line.get_label(): line.get_ydata() for line in lower.get_lines()}
    assert drawn["layers.0.wq"] == pytest.approx([wq[64], wq[128]]) and len(upper.get_lines()) == 21
    found.to_html(tmp_path / "check.html")
    assert "Not stable" in (tmp_path / "check.html").read_text()


def test_a_check_is_reproducible_and_leaves_generators_alone():
    """The same seed gives the same figures; torch's generator is where it was."""
    torch.manual_seed(11)
    before = torch.random.get_rng_state()
    first, second = (check("he_normal", multipliers=False, widths=(64, 128)) for _ in range(2))

    assert first.to_dicts() == second.to_dicts()
    assert torch.equal(torch.random.get_rng_state(), before)


def test_a_batch_that_is_written_into_is_the_same_at_each_step():
    """A layer in place does not change what the next step and the next width see."""
    batch = torch.linspace(-1, 1, 32).reshape(8, 4)
    before = batch.clone()
    coord_check(lambda width: nn.Sequential(nn.ReLU(inplace=True), nn.Linear(4, width), nn.Linear(width, 1)), (16, 32),
                "he_normal", batch, torch.optim.SGD, loss=lambda output: output.square().mean(), seed=0)
    assert torch.equal(batch, before)


def linear(width):
    return nn.Sequential(nn.Linear(4, width), nn.Linear(width, 1))


def other_layers(width):
    return linear(width) if width < 32 else nn.Sequential(*linear(width), nn.ReLU())


@pytest.mark.parametrize(("changed", "words"), [
    ({"widths": (64,)}, "`widths` must be two or more"),
    ({"widths": "64"}, "`widths` must be several"),
    ({"steps": 0}, "`steps`"),
    ({"loss": None}, "`loss` must be given"),
    ({"optimizer": lambda groups: groups}, "`optimizer` must make"),
    ({"make_model": linear(4).state_dict()}, "`make_model` must be a function"),
    ({"make_model": other_layers}, "same layers"),
    ({"make_model": lambda width: linear(width).to("meta")}, "must have memory"),
])
def test_a_check_that_can_not_be_made_is_refused(changed, words):
    """Each error names its argument."""
    usual = {"make_model": linear, "widths": (16, 32), "recipe": "he_normal", "batch": torch.ones(8, 4),
             "optimizer": torch.optim.Adam, "loss": lambda output: output.square().mean()}
    with pytest.raises(fanin.FaninError, match=words):
        coord_check(**usual | changed)


# -- groups -----------------------------------------------------------------------------------------------------------

def rules(width=256, **changed):
    return fanin.Rules.from_config(MUP | changed).given({"width": width})


def test_groups_have_the_learning_rates_of_roles():
    """Hidden matrices learn at lr·base_width/width, all else at lr; each parameter is in one group."""
    model = Transformer(256, multipliers=True)
    hidden, others = sorted(param_groups(model, rules(), lr=0.01, eps=1e-8), key=lambda group: group["lr"])

    assert (hidden["lr"], others["lr"], others["eps"]) == (0.0025, 0.01, 1e-8) and "weight_decay" not in hidden
    assert hidden["name"] == "q, k, v, attention_out, mlp_in, mlp_out"
    assert others["name"] == "token_embedding, norm, head"
    assert sorted(map(id, (*hidden["params"], *others["params"]))) == sorted(map(id, model.parameters()))
    assert any(each is model.layers[1].wo.weight for each in hidden["params"])
    optimizer = torch.optim.AdamW([hidden, others])
    assert [group["name"] for group in optimizer.param_groups] == [hidden["name"], others["name"]]


def test_tied_parameters_come_once_and_frozen_ones_not():
    """A tied head is the embedding; what requires no gradient is no optimizer's."""
    model = Transformer(64, multipliers=True)
    model.output.weight = model.tok_embeddings.weight
    model.layers[0].requires_grad_(False)
    tensors = [tensor for group in param_groups(model, rules(64), lr=0.1) for tensor in group["params"]]

    assert len(tensors) == len({id(each) for each in tensors}) == 8 + 2  # the second block, embedding, last norm
    assert all(each.requires_grad for each in tensors)


def test_what_a_weight_is_computed_from_is_trained():
    """weight_norm's gains and directions are parameters of the weight's role."""
    model = Transformer(64, multipliers=True)
    torch.nn.utils.parametrizations.weight_norm(model.layers[0].wo)
    hidden = next(group for group in param_groups(model, rules(128), lr=0.1) if "q" in group["name"])

    assert hidden["lr"] == 0.05
    for each in model.layers[0].wo.parameters():
        assert any(each is tensor for tensor in hidden["params"])


def test_a_role_that_is_unknown_is_an_error_where_it_decides():
    """Without a word on `wo` its learning rate is unknown; factors that don't depend on roles need none."""
    model = Transformer(64, multipliers=True)
    with pytest.raises(fanin.FaninValueError, match=r"layers\.0\.wo\.weight.*roles=\{'\*\.wo'"):
        param_groups(model, rules(roles={}), lr=0.1)
    same = {**MUP["recipe"], "optimizer": [{"lr": "=base_width/width"}]}
    (group,) = param_groups(model, rules(roles={}, recipe=same), lr=0.1)
    assert group["lr"] == 0.025 and len(group["params"]) == len(list(model.parameters()))


def test_experts_have_groups_of_their_own():
    """An entry for experts is for whatever is in them, of known role or not; names say so."""
    recipe = {**MUP["recipe"], "optimizer": [{"experts": True, "lr": 0.5}, {"role": "head", "lr": 2}]}
    part = nn.ModuleDict({"fc1": nn.Linear(4, 4, bias=False), "odd": nn.Linear(4, 4, bias=False)})
    model = nn.ModuleDict({"experts": part, "fc2": nn.Linear(4, 4)})

    groups = {group["name"]: group["lr"] for group in param_groups(model, rules(recipe=recipe), lr=0.1)}
    assert groups == {"mlp_in (experts), unknown role (experts)": 0.05, "mlp_out, bias": 0.1}


def test_factors_of_epsilon_and_depth():
    """Factors of eps and weight decay need a base; `layers` is counted where nothing tells it."""
    recipe = {**MUP["recipe"], "optimizer": [{"role": "q", "eps": "=1/layers", "weight_decay": 2}]}
    config = fanin.Rules.from_config({**MUP, "recipe": recipe, "variables": {**MUP["variables"], "layers": {}}})
    model = Transformer(64, multipliers=True)

    with pytest.raises(fanin.FaninValueError, match="`eps` must be given"):
        param_groups(model, config, lr=0.1, weight_decay=0.1)
    groups = {group["name"]: group for group in param_groups(model, config, lr=0.1, eps=1e-8, weight_decay=0.1)}
    assert (groups["q"]["lr"], groups["q"]["eps"], groups["q"]["weight_decay"]) == (0.1, 5e-9, 0.2)
    assert len(groups) == 2


def test_rules_without_optimizer_data_say_so():
    """One group with all parameters, and a warning."""
    model = Transformer(64, multipliers=True)
    with pytest.warns(fanin.FaninWarning, match="gpt2 says nothing of the optimizer"):
        (group,) = param_groups(model, "gpt2", lr=0.1)
    assert group["name"] == "all" and len(group["params"]) == len(list(model.parameters()))


def test_models_without_memory_or_variables_are_refused():
    """What init_module would replace is no optimizer's; a width that nobody tells is an error."""
    with pytest.raises(fanin.FaninValueError, match="must have memory"):
        param_groups(Transformer(64, True).to("meta"), rules(), lr=0.1)
    with pytest.raises(fanin.FaninValueError, match="`width` has no value"):
        param_groups(Transformer(64, True), fanin.Rules.from_config(MUP), lr=0.1)
    with pytest.raises(fanin.FaninValueError, match="requires a gradient"):
        param_groups(Transformer(64, True).requires_grad_(False), rules(), lr=0.1)


def test_groups_of_a_drawn_model_train():
    """The groups drive an optimizer: one step moves each parameter by about its group's learning rate."""
    model = Transformer(128, multipliers=True)
    with pytest.warns(fanin.FaninWarning, match="forward pass"):
        init_module(model, rules(128), seed=0)
    before = {name: each.detach().clone() for name, each in model.named_parameters()}
    optimizer = torch.optim.Adam(param_groups(model, rules(128), lr=0.01))
    loss(model(TOKENS[:, :-1])).backward()
    optimizer.step()

    moved = {name: (each.detach() - before[name]).abs().max().item() for name, each in model.named_parameters()}
    assert moved["layers.0.fc1.weight"] == pytest.approx(0.005, rel=0.01)
    assert moved["output.weight"] == pytest.approx(0.01, rel=0.01)
