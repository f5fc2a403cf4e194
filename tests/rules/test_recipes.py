"""Recipes and roles: rules that go by what a parameter is, whatever its codebase calls it."""

import copy
import json
import pickle
import re
import runpy
from pathlib import Path

import numpy as np
import pytest

from fanin import FaninTypeError, FaninValueError, Registry
from fanin.rules import Layer, Parameter, Rules, role_names
from fanin.rules._book import Recipes
from fanin.rules._files import recipe_names, rule_sets
from fanin.rules._roles import Roles

FLOAT = np.dtype("float32")


def parameters(*names, shape=(8, 8)):
    return [Parameter(name, shape, FLOAT) for name in names]


def role(name, shape=(8, 8), layer=None, given=(), others=()):
    return Roles(dict(given), {name, *others}).of(Parameter(name, shape, FLOAT, layer))


# name -> its role, of the codebases that the table is for
KNOWN = {
    "transformer.h.3.attn.c_proj.weight": "attention_out",  # nanoGPT, GPT-2
    "transformer.h.3.mlp.c_proj.weight": "mlp_out",
    "transformer.wte.weight": "token_embedding",
    "transformer.h.0.attn.c_q.weight": "q",  # nanochat
    "model.layers.3.self_attn.o_proj.weight": "attention_out",  # transformers
    "model.layers.3.mlp.gate_proj.weight": "gate",
    "model.layers.3.mlp.gate.weight": "router",
    "bert.encoder.layer.0.attention.output.dense.weight": "attention_out",
    "bert.encoder.layer.0.output.dense.weight": "mlp_out",
    "encoder.block.0.layer.1.DenseReluDense.wo.weight": "mlp_out",
    "encoder.block.0.layer.0.SelfAttention.o.weight": "attention_out",
    "layers.3.attention.wo.weight": "attention_out",  # torchtitan
    "layers.3.feed_forward.w1.weight": "gate",
    "layers.3.feed_forward.w2.weight": "mlp_out",
    "tok_embeddings.weight": "token_embedding",
    "output.weight": "head",
    "blocks.3.attention.w_out.weight": "attention_out",  # OLMo-core
    "lm_head.w_out.weight": "head",
    "decoder.layers.3.self_attention.linear_qkv.weight": "qkv",  # Megatron
    "decoder.layers.3.self_attention.linear_proj.weight": "attention_out",
    "decoder.layers.3.mlp.linear_fc2.weight": "mlp_out",
    "decoder.layers.3.mlp.linear_fc1.layer_norm_weight": "norm",
    "output_layer.weight": "head",
    "blocks.3.attn.qkv.weight": "qkv",  # timm
    "blocks.3.attn.proj.weight": "attention_out",
    "patch_embed.proj.weight": "stem",
    "cls_token": "special_token",
    "conv1.weight": "stem",  # torchvision
    "layer1.0.conv1.weight": "conv",
    "fc.weight": "head",
    "encoder.layers.encoder_layer_3.mlp.3.weight": "mlp_out",
    "params/h_3/attn/c_proj/kernel": "attention_out",  # flax
    "backbone.layers.3.mixer.out_proj.weight": "ssm_out",
    "backbone.layers.3.mixer.dt_proj.bias": "dt_bias",
    "h.3.ln_1.weight": "norm",
    "h.3.ln_1.bias": "bias",
    "layers.0.fc_of_mine.weight": "",
}


@pytest.mark.parametrize("name", KNOWN)
def test_a_name_tells_a_role(name):
    """Names of the common codebases tell what a parameter is; of others nothing is guessed."""
    assert role(name).name == KNOWN[name]


def test_the_last_norm_of_a_block_depends_on_its_siblings():
    """A second norm is a block's last one only where there is no third."""
    name = "layer1.0.bn2.weight"
    assert role(name, (8,)).name == "last_norm_of_block"
    assert role(name, (8,), others=["layer1.0.bn3.weight"]).name == "norm"


def test_a_layer_tells_what_a_name_does_not():
    """A layer's type decides where no name does; a norm's type against any name; what its user says, against all."""
    assert role("a.b.weight", (8, 8, 3), Layer(("Conv1d", "_ConvNd"), "oi*")).name == "conv"
    assert role("a.b.weight", layer=Layer(("Embedding",), "oi*")).name == "token_embedding"
    assert role("block.mlp.3.weight", (8,), Layer(("BatchNorm1d",))).name == "norm"
    assert role("a.wo.weight", given={"*.wo": "attention_out"}).name == "attention_out"
    assert role("a.q_proj.weight", given={"re:.*q_proj.*": "k"}).name == "k"
    assert role("a.wo.bias", given={"*.wo": "attention_out"}).name == "bias"


def test_a_mask_is_no_bias():
    """GPT-2's causal mask, attn.bias, has four axes: a recipe does not zero it, but asks what it is."""
    assert role("h.0.attn.bias", (1, 1, 8, 8)).name == ""
    assert role("h.0.attn.c_attn.bias", (24,)).name == role("mlp.experts.down_proj_bias", (4, 8)).name == "bias"
    with pytest.raises(FaninValueError, match="nobody knows that of h.0.attn.bias"):
        Rules.read("gpt2").assign(parameters("h.0.attn.bias", shape=(1, 1, 8, 8)))


def test_buffers_of_checkpoints_have_their_values():
    """Recipes whose models have buffers in checkpoints give these, too: position ids, running statistics."""
    [ids, types] = Rules.read("bert").assign([Parameter(f"embeddings.{name}", (1, 8), np.dtype("int64"))
                                              for name in ("position_ids", "token_type_ids")])
    assert ids.scheme.value.tolist() == list(range(8)) and types.scheme.value == 0
    rows = Rules.read("resnet").assign(parameters("bn1.running_mean", "bn1.running_var", shape=(8,)))
    assert [row.scheme.value for row in rows] == [0.0, 1.0]


def test_experts_are_a_property_beside_the_role():
    """The same matrix of an expert and of an MLP has one role; `experts` in a rule tells them apart."""
    names = ["layers.0.mlp.experts.3.down_proj.weight", "layers.1.mlp.down_proj.weight",
             "layers.1.mlp.shared_expert.down_proj.weight"]
    assert [role(name) for name in names] == [("mlp_out", True), ("mlp_out", False), ("mlp_out", False)]
    rules = Rules([{"role": "mlp_out", "experts": True, "init": "ones"}, {"role": "mlp_out", "init": "zeros"}])
    assert [row.scheme.value for row in rules.assign(parameters(*names))] == [1.0, 0.0, 0.0]
    assert [row.rule for row in rules.assign(parameters(*names))] == ["role mlp_out"] * 3


def test_a_role_that_there_is_none_of_is_refused():
    """A misspelled role names close matches, wherever it stands."""
    for make in (lambda: Rules([{"role": "atention_out", "init": "zeros"}]),
                 lambda: Rules({"*": "zeros"}, roles={"*": "atention_out"}),
                 lambda: Rules.read("gpt2", roles={"*": "atention_out"})):
        with pytest.raises(FaninValueError, match=r"\(got 'atention_out'\): did you mean 'attention_out'"):
            make()
    with pytest.raises(FaninTypeError, match="`roles` must be a table"):
        Rules({"*": "zeros"}, roles=["attention_out"])
    with pytest.raises(FaninValueError, match="valid regular expressions"):
        Rules({"*": "zeros"}, roles={"re:(": "q"})


def test_what_nobody_knows_is_an_error_that_says_how_to_tell_it():
    """A recipe draws no matrix whose part it does not know; its roles can be given, and then it is drawn."""
    names = ["layers.0.my_out.weight", "layers.1.my_out.weight"]
    with pytest.raises(FaninValueError, match=r"nobody knows that of layers.0.*roles=\{'\*\.my_out': \.\.\.\}"):
        Rules.read("gpt2").assign(parameters(*names))
    table = Rules.read("gpt2", roles={"*.my_out": "attention_out"}).assign(parameters(*names))
    assert [row.scheme.std for row in table] == [0.02 / 2] * 2
    with pytest.raises(FaninValueError, match="the recipe gpt2 gives nothing to stem"):
        Rules.read("gpt2").assign(parameters("conv1.weight"))


def test_variables_are_given_or_from_the_config_or_defaults():
    """What is given wins over the model's config, and this over the default; the table says which it was."""
    wo = parameters("layers.0.attn.c_proj.weight")
    read, config = Rules.read("gpt2"), {"initializer_range": 0.1, "n_layer": 8}
    assert read.assign(wo)[0].scheme.std == pytest.approx(0.02 / 2**0.5)
    assert read.with_config(config).assign(wo)[0].scheme.std == pytest.approx(0.1 / 4)
    assert Rules.read("gpt2", std=0.4).with_config(config).assign(wo)[0].scheme.std == pytest.approx(0.4 / 4)
    assert Rules.read("gpt2", std=0.4, layers=2).with_config(config).assign(wo)[0].scheme.std == pytest.approx(0.2)
    text = read.with_config(config).assign(wo).to_text(width=200)
    assert "std = 0.1 (config.initializer_range), layers = 8 (config.n_layer)" in text
    inner = {"text_config": {"initializer_range": 0.5}}
    assert Rules.read("llama").with_config(inner).variables == {"std": 0.5}


def test_an_unknown_variable_is_an_error_that_lists_those_there_are():
    """No variable is ignored."""
    with pytest.raises(FaninValueError, match=r"the variables are std, layers \(got 'sdt'\): did you mean std"):
        Rules.read("gpt2", sdt=1)
    with pytest.raises(FaninValueError, match=r"the variables are std \(got 'base_width'\)"):
        Rules.from_config({"recipe": "llama", "variables": {"base_width": 1}})
    with pytest.raises(FaninValueError, match="must be finite numbers"):
        Rules.read("gpt2", std="big")


def test_a_variable_without_a_value_is_an_error_that_says_how_to_give_it():
    """What neither its user, nor the config, nor a default tells is asked for, and only if it is needed."""
    rules = Rules([{"role": "q", "init": {"name": "normal", "std": "=1/width"}}, {"match": "*", "init": "zeros"}],
                  {"width": {"config": ["hidden_size"], "meaning": "of the residual stream"}})
    assert len(rules.assign(parameters("a.k_proj.weight"))) == 1
    with pytest.raises(FaninValueError, match="`width` has no value.*width=..."):
        rules.assign(parameters("a.q_proj.weight"))
    assert rules.with_config({"hidden_size": 4}).assign(parameters("a.q_proj.weight"))[0].scheme.std == 0.25


def test_a_file_may_stand_on_a_recipe(tmp_path):
    """A file names a recipe, sets its variables and roles, and has rules that are tried first."""
    path = tmp_path / "mine.toml"
    path.write_text('recipe = "gpt2"\n[variables]\nstd = 0.5\n[roles]\n"*.mine" = "q"\n'
                    '[[rule]]\nmatch = "lm_head.weight"\ninit = "zeros"\n')
    table = Rules.read(path).assign(parameters("a.mine.weight", "lm_head.weight", "wte.weight"))
    assert [row.plan.std for row in table] == [0.5, 0.0, 0.5]
    path.write_text('recipe = "gtp2"\n')
    with pytest.raises(FaninValueError, match="did you mean 'gpt2'"):
        Rules.read(path)


@pytest.mark.parametrize("name", rule_sets())
def test_sets_are_values(name):
    """A set or recipe survives JSON, pickle, copies and overrides, and is equal to itself afterwards."""
    rules = Rules.read(name, roles={"*.mine": "q"})
    again = Rules.from_config(json.loads(json.dumps(rules.get_config())))
    for other in (again, pickle.loads(pickle.dumps(rules)), copy.deepcopy(rules)):
        assert other == rules and hash(other) == hash(rules) and other.recipe == rules.recipe
        assert other.roles == {"*.mine": "q"} and other.declared() == rules.declared()
    assert rules != Rules.read(name)
    assert rules.override({"a": "zeros"}).roles == rules.roles


@pytest.mark.parametrize("name", recipe_names())
def test_recipes_say_where_they_are_from(name):
    """Every recipe has a title, a source, the day on which it was read, and meanings for its variables."""
    recipe, rules = Rules.read(name).recipe, Rules.read(name)
    assert recipe.name == name and recipe.title and recipe.version >= 1
    assert recipe.paper or recipe.repository
    assert re.fullmatch(r"\d{4}-\d\d-\d\d(, commit [0-9a-f]{7})?", recipe.read)
    assert all(each.meaning for each in rules.declared().values())
    text = Recipes(name).to_text()
    assert recipe.title[:40] in text and recipe.read in text
    assert not any("weights" in entry for entry in rules.get_config()["rule"]), "a recipe guesses nothing"


def test_the_guide_has_all_recipes():
    """The page on which initialization is for which network names every recipe."""
    page = (Path(__file__).parents[2] / "docs" / "which-initialization.md").read_text("utf-8")
    assert [name for name in recipe_names() if f"| `{name}` |" not in page] == []


def test_the_page_of_recipes_has_all():
    """The page that is made when the documentation is built has a section for each recipe, with its title."""
    conf = runpy.run_path(str(Path(__file__).parents[2] / "docs" / "conf.py"))
    source = ["# Recipes\n"]
    conf["write_recipes"](None, "recipes", source)
    assert [line[3:] for line in source[0].splitlines() if line.startswith("## ")] == recipe_names()
    assert all(Rules.read(name).recipe.title[:40] in source[0] for name in recipe_names())


def test_names_do_not_collide():
    """No set or recipe has a preset's name, or another's in another case."""
    assert not set(rule_sets()) & set(Registry.names())
    assert len({name.lower() for name in rule_sets()}) == len(rule_sets())


def test_the_list_of_recipes_has_all():
    """The book lists every recipe, and refuses others with close matches."""
    text = Recipes().to_text()
    assert all(name in text for name in rule_sets())
    assert [each["name"] for each in Recipes().to_dicts()] == recipe_names()
    with pytest.raises(FaninValueError, match="did you mean 'gpt2'"):
        Recipes("gtp2")


def test_the_table_shows_roles():
    """A table of rules by role has a column for it, and its rows as dicts always have the role."""
    table = Rules.read("llama").assign(parameters("layers.0.mlp.experts.0.w2.weight", "lm_head.weight"))
    assert "mlp_out, experts" in table.to_text(width=120)
    assert [row["role"] for row in table.to_dicts()] == ["mlp_out", "head"]
    assert [row["role"] for row in Rules({"*": "zeros"}).assign(parameters("lm_head.weight")).to_dicts()] == ["head"]
    assert set(role_names()) >= {each for each in KNOWN.values() if each}


FORWARD = {"version": 1, "variables": {"m": 4}, "rule": [{"match": "*", "init": "zeros"}],
           "recipe": {"name": "mine", "title": "t", "optimizer": [{"role": "q", "lr": "=1/m"}],
                      "forward": [{"what": "logits", "factor": "=1/m", "text": "once"}]}}


def test_a_recipe_says_what_else_changes():
    """Factors for the optimizer and the forward pass are data; a table warns of what fanin can't do."""
    rules = Rules.from_config(FORWARD)
    assert rules.recipe.optimizer[0].factors(rules.variables) == {"lr": 0.25, "eps": 1.0, "weight_decay": 1.0}
    [warning] = rules.assign(parameters("a.weight")).warnings
    assert "mine" in warning and "logits times 1/m" in warning


@pytest.mark.parametrize("change, message", [
    ({"optimizer": [{"role": "queries"}]}, "`role` must be one of"),
    ({"optimizer": [{"in_block": "no"}]}, "`in_block` must be"),
    ({"optimizer": [{"lr": "=1/width"}]}, "uses width, which no variable is"),
    ({"optimizer": [{"rate": 1}]}, "may have role, experts, in_block, lr"),
    ({"forward": [{"what": "logits"}]}, "must have `what` and `factor`"),
    ({"forward": [{"what": "logits", "factor": "1/m"}]}, "must be a number or an expression"),
    ({"title": 3}, "a table with `name` and `title`"),
    ({"author": "me"}, "`recipe` may have"),
])
def test_a_wrong_recipe_is_refused(change, message):
    """What is wrong with a recipe's own table is found when it is read."""
    with pytest.raises((FaninValueError, FaninTypeError), match=message):
        Rules.from_config({**FORWARD, "recipe": {**FORWARD["recipe"], **change}})
