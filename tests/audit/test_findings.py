"""What is worth a second look is found, and what is well isn't remarked on."""

import json
import math

import numpy as np
import pytest
from safetensors.numpy import save_file

import fanin


def normal(shape, std=0.02, seed=0):
    return (std * np.random.Generator(np.random.PCG64(seed)).standard_normal(shape)).astype(np.float32)


def texts(result, kind):
    return [str(finding) for finding in result.findings if finding.kind == kind]


def test_equal_tensors_are_found():
    """A layer drawn twice from one seed is the same values; at another scale it begins with the same numbers."""
    other = 3 * normal((64, 64))[:, :32]
    result = fanin.audit({"a.weight": normal((64, 64)), "b.weight": normal((64, 64)), "e.weight": other,
                          "c.weight": normal((64, 64), seed=1), "d.weight": 3 * normal((96, 64))})

    (same, begin) = texts(result, "same")
    assert same.startswith("a.weight, b.weight: ") and "c.weight" not in same + begin
    assert "d.weight" in begin and "same random numbers" in begin


def test_tied_tensors_of_a_state_dict_are_no_finding():
    """Tensors that share their memory are one tensor with two names."""
    shared = normal((64, 64))

    assert fanin.audit({"embed.weight": shared, "head.weight": shared}).findings == ()
    assert len(fanin.audit({"embed.weight": shared, "head.weight": shared.copy()}).findings) == 1


def test_equal_constants_and_small_tensors_are_no_finding():
    """All biases are zero: that is no news."""
    assert fanin.audit({f"{i}.bias": np.zeros(256, np.float32) for i in range(4)}).findings == ()


@pytest.mark.parametrize(("axis", "blocks", "what"), [(0, 4, "4 equal blocks of 32 rows"),
                                                      (1, 2, "2 equal blocks of 64 columns")])
def test_repeated_shards_are_found(axis, blocks, what):
    """A tensor put together from ranks that drew the same shard."""
    whole = normal((128, 128))
    shard = np.split(whole, blocks, axis)[0]
    result = fanin.audit({"w": np.concatenate([shard] * blocks, axis), "well": whole})

    (finding,) = result.findings
    assert finding.kind == "repeat" and finding.names == ("w",) and what in finding.text


def rules_findings(tensors, rules):
    return texts(fanin.audit(tensors, rules), "rules")


def test_drawn_by_the_rules_is_no_difference():
    """What fanin draws by rules has the law and scale that these ask, whatever the scheme."""
    rules = fanin.Rules({"*.he": "he_normal", "*.uniform": "torch_default", "*.normal": {"name": "normal", "std": 0.02},
                         "*.wide": {"name": "truncated_normal", "std": 0.02, "bounds": "absolute"},
                         "*.orthogonal": "orthogonal", "*.sparse": {"name": "sparse", "sparsity": 0.9},
                         "*.zeros": "zeros", "*.eye": "eye",
                         "*.qkv": {"name": "blocks", "inits": ["xavier_uniform"] * 3},
                         "*.embed": {"name": "blocks", "inits": ["zeros", "normal"], "sizes": [1, -1]}})
    names = [f"{i}.{each}" for i in range(3)
             for each in ("he", "uniform", "normal", "wide", "orthogonal", "sparse", "zeros", "eye", "qkv", "embed")]
    table = rules.assign([fanin.rules.Parameter(name, (96, 96), np.dtype("float32")) for name in names])
    drawn = {row.parameter.name: row.scheme((96, 96), seed=0, name=row.parameter.name) for row in table}

    assert rules_findings(drawn, rules) == []


@pytest.mark.parametrize(("found", "asked", "words"), [
    (normal((256, 256), 0.02 / math.sqrt(24)), "normal", ["std 0.00", "normal, std 1"]),
    (normal((256, 256)), "he_normal", ["normal", "cut at ±2 σ, std 0.0884"]),
    (normal((256, 256)), "zeros", ["normal", "constant 0"]),
    (normal(300), "zeros", ["not constant"]),
    (np.zeros((256, 256), np.float32), "he_normal", ["constant 0"]),
    (normal((256, 256)) + np.float32(0.01), {"name": "normal", "std": 0.02}, ["mean 0.0"]),
    (np.eye(256, dtype=np.float32), "orthogonal", []),
    (normal((256, 256)), "orthogonal", ["normal", "orthogonal"]),
    (np.ones(256, np.float32), "zeros", ["constant 1", "constant 0"]),
])
def test_differences_to_rules(found, asked, words):
    """Another law, scale, mean or constant than the rules ask is said, with both."""
    (text,) = rules_findings({"w": found}, {"*": asked})

    for word in words:
        assert word in text


def test_a_std_scaled_by_depth_is_said_in_words():
    """w3 scaled by depth where the rules say not: the difference names the formula."""
    tensors = {f"layers.{i}.w3.weight": normal((256, 256), 0.02 / math.sqrt(2 * 12), seed=i) for i in range(12)}
    (finding,) = fanin.audit(tensors, {"*": {"name": "normal", "std": 0.02}}).findings

    assert len(finding.names) == 12
    assert "0.02/√(2·12)" in finding.text and "std 0.02" in finding.asked


def test_differences_of_chance_are_not_said():
    """A std within its standard error is what the rules ask: of 200 tensors none differs (budget 1e-4)."""
    tensors = {str(i): normal((64, 64), seed=i) for i in range(200)}

    assert rules_findings(tensors, {"*": {"name": "normal", "std": 0.02}}) == []
    assert len(fanin.audit(tensors, {"*": {"name": "normal", "std": 0.022}}).findings[0].names) > 190


@pytest.mark.parametrize(("tensors", "words"), [
    ({"ln_1.weight": normal(4096)}, "a norm's weight drawn at random"),
    ({"layers.0.input_layernorm.weight": normal(512)}, "a norm's weight drawn at random"),
    ({"a.bias": normal(4096), "b.bias": np.zeros(9, np.float32), "c.bias": np.zeros(9, np.float32)},
     "a bias drawn at random"),
    ({"fc.weight": normal((512, 128), math.sqrt(2 / 512))}, "its std follows fan_out (√(2/512))"),
    ({"fc.weight": np.where(np.arange(64) == 5, np.nan, normal(64)).astype(np.float32)}, "NaN or infinite"),
])
def test_lints(tensors, words):
    """Public reports' faults are remarked on, naming the tensor."""
    (text,) = texts(fanin.audit(tensors), "lint")

    assert text.startswith(next(iter(tensors))) and words in text


@pytest.mark.parametrize("tensors", [
    {"ln_1.weight": np.ones(64, np.float32), "ln_1.bias": np.zeros(64, np.float32)},
    {"norm.weight": 1 + normal(4096)},
    {f"{i}.bias": normal(4096, seed=i) for i in range(3)},
    {"fc.weight": normal((512, 128), math.sqrt(2 / 128))},
    {"embed.weight": normal((1000, 64))},
])
def test_what_is_well_has_no_lint(tensors):
    """No remark on usual initializations."""
    assert fanin.audit(tensors).findings == ()


def test_what_config_json_says_is_compared(tmp_path):
    """A folder's config tells of the padding row and of tied tensors."""
    tensors = {"embed_tokens.weight": normal((500, 64)), "lm_head.weight": normal((500, 64), seed=1)}
    save_file(tensors, tmp_path / "model.safetensors")
    config = tmp_path / "config.json"
    config.write_text(json.dumps({"vocab_size": 500, "pad_token_id": 3, "tie_word_embeddings": True}))

    padding, tied = texts(fanin.audit(tmp_path), "lint")
    assert "padding row 3 is not zero" in padding and "embed_tokens.weight" in padding
    assert tied.startswith("lm_head.weight: differs from embed_tokens.weight")

    tensors["embed_tokens.weight"][3] = 0
    save_file(tensors | {"lm_head.weight": tensors["embed_tokens.weight"]}, tmp_path / "model.safetensors")
    assert texts(fanin.audit(tmp_path), "lint") == []


def test_a_recipe_counts_with_the_std_of_config_json(tmp_path):
    """What a recipe asks is what it would draw for the model: with the config's numbers, where a folder has one."""
    save_file({"model.layers.0.self_attn.q_proj.weight": normal((128, 128), std=0.1)}, tmp_path / "model.safetensors")
    (other,) = rules_findings(tmp_path, "llama")
    assert "the rules ask" in other

    (tmp_path / "config.json").write_text(json.dumps({"initializer_range": 0.1}))
    assert rules_findings(tmp_path, "llama") == []


@pytest.mark.parametrize(("preset", "layout", "words"), [
    ("he_normal", "torch", "√(2/128) = he_normal"), ("he_normal", "jax", "√(2/512) = he_normal"),
    ("kaiming_normal", "torch", "√(2/128) = kaiming_normal"), ("he_uniform", "torch", "±√(6/128) = he_uniform"),
    ("glorot_uniform", "torch", "±√(6/640) = glorot_uniform"), ("xavier_normal", "torch", "√(2/640) = xavier_normal"),
    ("lecun_normal", "torch", "√(1/128) = lecun_normal"), ("torch_default", "torch", "±√(1/128) = torch_default"),
    ({"name": "normal", "std": 0.02}, "torch", "0.02"),
    ({"name": "truncated_normal", "std": 0.02}, "torch", "0.02 before the cut"),
])
def test_scales_in_words(preset, layout, words):
    """A preset's scale is called by the preset's name and formula."""
    scheme = fanin.Registry.get(preset)
    if layout == "jax":
        scheme = scheme.replace(layout="*io")
    entry = fanin.audit({"w": scheme((512, 128), seed=0, name="w")}, layout=layout)[0]

    assert words in entry.scale
    assert words in str(entry.meanings[0])


def test_a_bias_is_described_by_its_weights_fan():
    """torch draws a Linear's bias within ±1/√fan_in of its weight."""
    bound = 1 / math.sqrt(512)
    rng = np.random.Generator(np.random.PCG64(0))
    tensors = {name: rng.uniform(-bound, bound, shape).astype(np.float32)
               for name, shape in (("fc.weight", (1024, 512)), ("fc.bias", (1024,)))}

    assert [str(*entry.meanings) for entry in fanin.audit(tensors)] == ["±√(1/512) = torch_default"] * 2
