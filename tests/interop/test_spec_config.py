"""transformers' config.json as a model: alone, and beside a checkpoint whose headers have names and shapes only."""

import json
import sys

import pytest
import torch
import transformers
from safetensors.torch import load_file

from fanin import FaninError, FaninWarning, Registry
from fanin.checkpoint import init, read_spec, verify
from fanin.cli import main
from fanin.torch import init_module

pytestmark = pytest.mark.filterwarnings("ignore::fanin.FaninWarning")  # the rules are made to show layers, not to train

TEXT = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
        "vocab_size": 100, "bos_token_id": 1, "eos_token_id": 2}
IMAGE = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
         "image_size": 32, "patch_size": 8}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2}
FAMILIES = {  # model type -> (class, parameters of the config)
    "llama": ("LlamaForCausalLM", {**TEXT, "num_key_value_heads": 2, "pad_token_id": 0, "dtype": "bfloat16"}),
    "gpt2": ("GPT2LMHeadModel", {"n_embd": 32, "n_layer": 2, "n_head": 4, "vocab_size": 100, "n_positions": 64,
                                 "bos_token_id": 1, "eos_token_id": 2}),
    "bert": ("BertForMaskedLM", TEXT),
    "t5": ("T5ForConditionalGeneration", {"d_model": 32, "d_ff": 64, "num_layers": 2, "num_heads": 4, "d_kv": 8,
                                          "vocab_size": 100}),
    "mixtral": ("MixtralForCausalLM", {**TEXT, "num_local_experts": 4}),
    "olmoe": ("OlmoeForCausalLM", {**TEXT, **EXPERTS}),
    "deepseek_v3": ("DeepseekV3ForCausalLM", {
        **TEXT, "num_key_value_heads": 4, "moe_intermediate_size": 16, "n_routed_experts": 4, "n_group": 2,
        "topk_group": 1, "num_experts_per_tok": 2, "kv_lora_rank": 8, "q_lora_rank": 8, "qk_rope_head_dim": 4,
        "qk_nope_head_dim": 4, "v_head_dim": 8, "first_k_dense_replace": 1}),
    "whisper": ("WhisperForConditionalGeneration", {
        "d_model": 32, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 4,
        "decoder_attention_heads": 4, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "vocab_size": 100,
        "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1,
        "max_source_positions": 50, "max_target_positions": 32}),
    "vit": ("ViTForImageClassification", IMAGE),
    "clip": ("CLIPModel", {"text_config": TEXT, "vision_config": IMAGE, "projection_dim": 16}),
    "gemma2": ("Gemma2ForCausalLM", {**TEXT, "num_key_value_heads": 2, "head_dim": 8}),
    "resnet": ("ResNetForImageClassification", {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1]}),
}
# Layers count in every rule that they can count in: fans, the axis of rows, padding rows.
RULES = [{"match": "*num_batches_tracked", "init": "zeros"},
         {"match": "*", "rank": [0, 1], "init": {"name": "uniform", "low": 0.5}},
         {"match": "*", "rank": 3, "fans": "shape", "init": "he_normal"},
         {"match": "*", "init": "he_normal"}]


@pytest.fixture(autouse=True)
def quiet():
    transformers.logging.set_verbosity_error()


@pytest.fixture
def rules(tmp_path):
    path = tmp_path / "rules.json"
    path.write_text(json.dumps({"rule": RULES}))
    return path


def save_config(folder, family, **changes):
    """A folder with nothing but a config, and the class that it names."""
    name, parameters = FAMILIES[family]
    config = transformers.AutoConfig.for_model(family, **parameters)
    config.architectures = [name]
    config.save_pretrained(folder)
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    return getattr(transformers, name)


def initialized(kind, folder, rules, seed):
    """What `init_module` makes of the model that a folder's config describes."""
    with torch.device("meta"):
        model = kind._from_config(transformers.AutoConfig.from_pretrained(folder))
    init_module(model, rules, seed=seed, device="cpu", buffers=True)
    return model.state_dict()


@pytest.mark.parametrize("family", FAMILIES)
def test_a_config_alone_is_a_model_that_transformers_loads(tmp_path, rules, family):
    """`fanin init CONFIG_DIR -o DIR`: no key is missing or unexpected, and every bit is `init_module`'s."""
    kind = save_config(tmp_path / "model", family)
    (tmp_path / "model" / "generation_config.json").write_text('{"max_length": 7}')

    assert main(["init", str(tmp_path / "model"), "--rules", str(rules), "--seed", "5", "-o",
                 str(tmp_path / "out")]) == 0

    loaded, report = kind.from_pretrained(tmp_path / "out", output_loading_info=True)
    assert not any(report.values()), report
    state, expected = loaded.state_dict(), initialized(kind, tmp_path / "model", str(rules), 5)
    assert state.keys() == expected.keys()
    assert [name for name in state if not torch.equal(state[name], expected[name])] == []
    for name in ("config.json", "generation_config.json"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "model" / name).read_bytes()


def test_a_frozen_table_is_in_the_checkpoint(tmp_path):
    """Whisper's sinusoids, whatever the rules; from the config, from the file made of it, and where `verify` draws."""
    save_config(tmp_path / "model", "whisper")
    name = "model.encoder.embed_positions.weight"
    table = torch.from_numpy(Registry.get("whisper_sinusoids")((50, 32)))
    file, again = tmp_path / "out" / "model.safetensors", tmp_path / "again.safetensors"

    with pytest.warns(FaninWarning, match=f"frozen, and computed by the model: .*{name}"):
        init(str(tmp_path / "model"), tmp_path / "out" / "", {"*": "ones"}, seed=5)
    with pytest.warns(FaninWarning, match=name):
        init(file, again, {"*": {"name": "normal", "std": 0.02}}, seed=6)

    assert torch.equal(load_file(file)[name], table) and torch.equal(load_file(again)[name], table)
    assert verify(file)[0].ok and verify(again)[0].ok


def test_a_bias_that_a_head_holds_for_its_linear(tmp_path):
    """BERT's head holds the bias of its decoder, whose weight lies elsewhere: under the set `torch` it is of a Linear's
    law, in a module and in a checkpoint, where `verify` draws it again."""
    kind = save_config(tmp_path / "model", "bert")

    init(str(tmp_path / "model"), tmp_path / "out" / "", "torch", seed=5)

    state = load_file(tmp_path / "out" / "model.safetensors")
    expected = initialized(kind, tmp_path / "model", "torch", 5)
    assert all(torch.equal(tensor, expected[name]) for name, tensor in state.items())
    bias = state["cls.predictions.bias"]
    assert 0.9 / 32**0.5 < bias.abs().max() <= 1 / 32**0.5
    assert abs(bias.mean()) < 5 * (32 * 3 * bias.numel()) ** -0.5
    assert verify(tmp_path / "out" / "model.safetensors")[0].ok


def test_shards_have_their_config_beside_them(tmp_path, rules):
    """With an index too, and from the file instead of its folder; the same command again leaves all as it is."""
    kind = save_config(tmp_path / "model", "bert")
    arguments = ["init", str(tmp_path / "model" / "config.json"), "--rules", str(rules), "--max-shard-size", "40KB",
                 "-o", str(tmp_path / "out")]

    assert main(arguments) == main(arguments) == 0

    assert len(list((tmp_path / "out").glob("*.safetensors"))) > 2
    state = kind.from_pretrained(tmp_path / "out").state_dict()
    expected = initialized(kind, tmp_path / "model", str(rules), 0)
    assert [name for name in state if not torch.equal(state[name], expected[name])] == []


def test_weights_may_go_beside_the_config_itself(tmp_path):
    """The folder then is the model; its config is left as it is."""
    save_config(tmp_path, "bert")
    before = (tmp_path / "config.json").read_bytes()

    init(tmp_path, tmp_path, RULES)

    assert sorted(each.name for each in tmp_path.iterdir()) == ["config.json", "model.safetensors"]
    assert (tmp_path / "config.json").read_bytes() == before


def test_another_config_is_not_replaced_unasked(tmp_path):
    """Nothing is written where the folder has the config of another model."""
    save_config(tmp_path / "model", "bert")
    save_config(tmp_path / "out", "gpt2")

    with pytest.raises(FaninError, match="config.json must not be there with other contents"):
        init(tmp_path / "model", tmp_path / "out", RULES)

    assert [each.name for each in (tmp_path / "out").iterdir()] == ["config.json"]


def test_a_model_without_architectures_has_no_head_and_says_so(tmp_path):
    """AutoModel's class is built, as by `AutoModel.from_config`."""
    save_config(tmp_path, "llama", architectures=None)

    spec = read_spec(tmp_path)

    assert "embed_tokens.weight" in {each.name for each in spec.tensors}
    assert [note for note in spec.notes if "so LlamaModel was built, which has no head" in note]


@pytest.mark.parametrize(("changes", "said"), [
    ({"model_type": "nowhere"}, "building the model.*raised"),
    ({"model_type": "nowhere", "auto_map": {"AutoConfig": "run.Config"}}, "building the model.*raised"),
    ({"architectures": ["NowhereForCausalLM"], "auto_map": {"AutoModelForCausalLM": "run.Model"}},
     "must name a model of transformers .*NowhereForCausalLM"),
    ({"architectures": ["AutoConfig"]}, "must name a model of transformers"),
])
def test_no_code_of_the_folder_is_run(tmp_path, changes, said):
    """A model that transformers itself has not is an error, and never a download or code beside the config."""
    save_config(tmp_path, "bert", **changes)
    (tmp_path / "run.py").write_text(f"open({str(tmp_path / 'was_run')!r}, 'w')")

    with pytest.raises(FaninError, match=said):
        read_spec(tmp_path)

    assert not (tmp_path / "was_run").exists()


def test_without_transformers_the_error_says_what_to_install(tmp_path, monkeypatch):
    """The package and fanin's extra; beside a checkpoint it is a note, since names and shapes are there."""
    save_config(tmp_path, "bert")
    monkeypatch.setitem(sys.modules, "transformers", None)

    with pytest.raises(ImportError, match=r"needs transformers.*fanin\[transformers\]"):
        read_spec(tmp_path)
    monkeypatch.undo()
    init(tmp_path, tmp_path, RULES)
    (header, layers) = (tmp_path / "model.safetensors").read_bytes(), read_spec(tmp_path).tensors
    monkeypatch.setitem(sys.modules, "transformers", None)

    assert read_spec(tmp_path).tensors == layers  # a file of fanin's own knows its layers itself
    assert header


@pytest.mark.parametrize("family", ["gpt2", "bert", "llama"])
def test_a_config_beside_headers_tells_their_layers(tmp_path, family):
    """GPT-2's (in, out) weights, BERT's padding row: the file is what `init_module` makes, without a note."""
    kind = save_config(tmp_path / "config", family)
    kind._from_config(transformers.AutoConfig.from_pretrained(tmp_path / "config")).save_pretrained(tmp_path / "saved")
    spec = read_spec(tmp_path / "saved")

    init(spec, tmp_path / "out", RULES, seed=5)

    assert spec.notes == () and {each.name: each.layer for each in spec.tensors} == {
        each.name: each.layer for each in read_spec(tmp_path / "config").tensors}
    state = kind.from_pretrained(tmp_path / "out").state_dict()
    expected = initialized(kind, tmp_path / "saved", RULES, 5)
    assert [name for name in state if not torch.equal(state[name], expected[name])] == []


def test_names_that_the_model_does_not_have_are_told(tmp_path):
    """Mixtral's files have a tensor for each expert, its module one for all: their bits can't be the same."""
    kind = save_config(tmp_path / "config", "mixtral")
    kind._from_config(transformers.AutoConfig.from_pretrained(tmp_path / "config")).save_pretrained(tmp_path / "saved")

    notes = read_spec(tmp_path / "saved").notes

    (note,) = notes
    assert "the model that it describes has no such tensors" in note and "block_sparse_moe.experts.0.w1.weight" in note
