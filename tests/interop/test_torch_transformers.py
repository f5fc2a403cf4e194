"""`init_module` on transformers models from configs: on the CPU and on meta, with ties, RoPE and other buffers."""

import contextlib
import json

import pytest
import torch
import transformers
from safetensors.torch import load_file
from torch import nn
from transformers import AutoModel, AutoModelForCausalLM, AutoModelForMaskedLM, AutoModelForSeq2SeqLM

import fanin
from fanin import (
    Constant,
    FaninValueError,
    FaninWarning,
    LogOfUniform,
    MambaALog,
    MambaDtBias,
    Normal,
    Registry,
    Sinusoidal,
)
from fanin.torch import init_module, parameters

SMALL = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
         "num_key_value_heads": 2, "vocab_size": 101, "max_position_embeddings": 64}
VISION = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4,
          "image_size": 32, "patch_size": 8}
LLAMA3 = {"rope_type": "llama3", "rope_theta": 5e5, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 32}
YARN = {"rope_type": "yarn", "rope_theta": 1e4, "factor": 4.0, "original_max_position_embeddings": 16}

CAUSAL, MASKED = AutoModelForCausalLM, AutoModelForMaskedLM
MODELS = {
    "llama, tied": (CAUSAL, lambda: transformers.LlamaConfig(**SMALL, tie_word_embeddings=True)),
    "llama 3 rope": (CAUSAL, lambda: transformers.LlamaConfig(**SMALL, rope_parameters=LLAMA3)),
    "qwen2 yarn": (CAUSAL, lambda: transformers.Qwen2Config(**SMALL, rope_parameters=YARN)),
    "mixtral": (CAUSAL, lambda: transformers.MixtralConfig(**SMALL, num_local_experts=4)),
    "gemma3": (CAUSAL, lambda: transformers.Gemma3TextConfig(**SMALL, head_dim=8, sliding_window=8)),
    "gpt2": (CAUSAL, lambda: transformers.GPT2Config(n_embd=32, n_layer=2, n_head=4, vocab_size=101, n_positions=64)),
    "bert": (MASKED, lambda: transformers.BertConfig(**{key: SMALL[key] for key in list(SMALL)[:4]}, vocab_size=101)),
    "t5": (AutoModelForSeq2SeqLM, lambda: transformers.T5Config(d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4,
                                                                vocab_size=101)),
    "vit": (AutoModel, lambda: transformers.ViTConfig(**VISION)),
    "swin": (AutoModel, lambda: transformers.SwinConfig(embed_dim=16, depths=[1, 1], num_heads=[2, 2], image_size=32,
                                                        patch_size=4, window_size=4)),
    "resnet": (AutoModel, lambda: transformers.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1])),
    "mamba": (CAUSAL, lambda: transformers.MambaConfig(hidden_size=16, num_hidden_layers=2, vocab_size=101)),
    "wav2vec2": (AutoModel, lambda: transformers.Wav2Vec2Config(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64, conv_dim=[16, 16],
        conv_kernel=[10, 3], conv_stride=[5, 2], num_conv_pos_embeddings=8, num_conv_pos_embedding_groups=2)),
}
# These rules serve many models; what fanin says about that is tested in tests/rules/test_warnings.py.
pytestmark = pytest.mark.filterwarnings("ignore::fanin.FaninWarning")
RULES = {"*bias": "zeros", "re:.*([Nn]orm[^.]*|ln_.*|LayerNorm|layernorm)\\.weight": "ones",
         "*": {"name": "normal", "std": 0.05}}


@pytest.fixture(autouse=True)
def _quiet():
    transformers.logging.set_verbosity_error()  # Mamba tells that its CUDA kernels are missing


def build(name, device="cpu"):
    auto, config = MODELS[name]
    with torch.device(device):
        return auto.from_config(config()).eval()


def run(model):
    ids = torch.arange(12).reshape(2, 6)
    inputs = {"input_ids": ids, "pixel_values": torch.linspace(-1, 1, 2 * 3 * 32 * 32).reshape(2, 3, 32, 32),
              "input_values": torch.linspace(-1, 1, 800).reshape(2, 400)}
    if model.config.is_encoder_decoder:
        return model(input_ids=ids, decoder_input_ids=ids)[0]
    return model(**{model.main_input_name: inputs[model.main_input_name]})[0]


@pytest.mark.parametrize("name", MODELS)
def test_meta_equals_cpu(name):
    """Built on meta and materialized: parameters, buffers, ties and outputs of a model built on the CPU, bit by bit."""
    expected, model = build(name), build(name, "meta")
    buffers = {key: buffer.clone() for key, buffer in expected.named_buffers()}
    table = init_module(expected, RULES, seed=1)
    init_module(model, RULES, seed=1, device="cpu")

    assert [key for key, _ in model.named_buffers()] == list(buffers)
    for key, buffer in model.named_buffers():
        assert torch.equal(buffer, buffers[key]), key
        assert buffer.dtype == buffers[key].dtype
    for (key, ours), (_, theirs) in zip(model.named_parameters(remove_duplicate=False),
                                        expected.named_parameters(remove_duplicate=False), strict=True):
        assert torch.equal(ours, theirs), key
        assert not hasattr(ours, "_is_hf_initialized")
    tied = [(row.parameter.name, row.note.removeprefix("tied to ")) for row in table if row.note.startswith("tied")]
    for alias, name_drawn in tied:
        assert model.get_parameter(alias) is model.get_parameter(name_drawn)
    assert dict(tied) == expected.all_tied_weights_keys
    with torch.no_grad():
        assert torch.equal(run(model), run(expected))


@contextlib.contextmanager
def parameters_on_meta():
    """What accelerate's `init_empty_weights` does: parameters on meta, buffers in memory."""
    register = nn.Module.register_parameter

    def registered(self, name, parameter):
        register(self, name, parameter)
        if parameter is not None:
            self._parameters[name] = nn.Parameter(parameter.to("meta"), requires_grad=parameter.requires_grad)

    nn.Module.register_parameter = registered
    try:
        yield
    finally:
        nn.Module.register_parameter = register


def test_parameters_alone_on_meta():
    """Buffers that have memory keep it and their values; the parameters are materialized."""
    expected = build("llama, tied")
    with parameters_on_meta():
        model = build("llama, tied")
    model.tie_weights()  # registering the tied weight has made another one of it
    buffers = dict(model.named_buffers())
    buffers["model.rotary_emb.inv_freq"].fill_(0.25)  # a user's own value
    init_module(expected, RULES, seed=1)
    init_module(model, RULES, seed=1, device="cpu")
    assert dict(model.named_buffers()) == buffers
    assert (model.model.rotary_emb.inv_freq == 0.25).all()
    assert model.lm_head.weight is model.model.embed_tokens.weight
    assert all(map(torch.equal, model.parameters(), expected.parameters()))


@pytest.mark.parametrize("name", ["t5", "bert", "llama, tied"])
def test_names_are_those_of_a_saved_checkpoint(name, tmp_path):
    """A parameter is drawn under the name that `save_pretrained` writes it under; the reloaded model has its bits."""
    model = build(name)
    init_module(model, RULES, seed=1)
    model.save_pretrained(tmp_path)
    saved = load_file(tmp_path / "model.safetensors")
    assert set(saved) == {each.name for each in parameters(model, buffers=True)}
    for each in parameters(model):
        assert torch.equal(saved[each.name], model.get_parameter(each.name))
    again = type(model).from_pretrained(tmp_path)
    assert all(map(torch.equal, again.state_dict().values(), model.state_dict().values()))


def test_ties_that_to_empty_broke():
    """A model whose ties are broken is refused, with both ways out."""
    model = build("llama, tied", "meta").to_empty(device="cpu")
    assert model.lm_head.weight is not model.model.embed_tokens.weight
    with pytest.raises(FaninValueError, match=r"lm_head\.weight to model\.embed_tokens\.weight.*tie_weights\(\)"):
        init_module(model, RULES, seed=1)
    model.tie_weights()
    init_module(model, RULES, seed=1, refill_buffers=True)
    model.lm_head.weight = nn.Parameter(torch.zeros(101, 32))
    model.config.tie_word_embeddings = False
    init_module(model, RULES, seed=1)
    assert not torch.equal(model.lm_head.weight, model.model.embed_tokens.weight)


def test_buffers_after_to_empty():
    """`refill_buffers` gives the rotary frequencies their values, in the memory that they have."""
    expected, model = build("qwen2 yarn"), build("qwen2 yarn", "meta").to_empty(device="cpu")
    model.tie_weights()
    for buffer in model.buffers():
        buffer.fill_(float("nan"))
    memory = {name: buffer.data_ptr() for name, buffer in model.named_buffers()}
    with pytest.warns(FaninWarning, match=r"nobody had filled their memory .* refill_buffers=True.*inv_freq"):
        init_module(model, RULES, seed=1)
    assert model.model.rotary_emb.inv_freq.isnan().all()
    table = init_module(model, RULES, seed=1, refill_buffers=True)
    init_module(expected, RULES, seed=1)
    assert {name: buffer.data_ptr() for name, buffer in model.named_buffers()} == memory
    assert all(map(torch.equal, model.buffers(), expected.buffers()))
    assert {row.parameter.name: row.note for row in table}["model.rotary_emb.inv_freq"].startswith("buffer, filled by")
    with torch.no_grad():
        assert torch.equal(run(model), run(expected))


def test_kept_weights_are_never_overwritten():
    """A model's `_init_weights` that writes in place fills the buffers on meta, and the weights that are kept stay."""
    class InPlace(transformers.PreTrainedModel):
        config_class = transformers.LlamaConfig

        def __init__(self, config):
            super().__init__(config)
            self.linear = nn.Linear(4, 4)
            self.register_buffer("scale", torch.empty(4, device="meta"), persistent=False)
            self.register_buffer("kept", torch.full((4,), 2.0))
            self.post_init()

        def _init_weights(self, module):
            if isinstance(module, nn.Linear):
                module.weight.data.normal_()
                module.bias.data.fill_(5)
            else:
                self.kept.zero_()
                if self.scale.is_meta:
                    return  # while the model is built
                self.scale.fill_(3)

    model = InPlace(transformers.LlamaConfig())
    model.kept.fill_(2)
    weight = model.linear.weight.detach().clone()
    init_module(model, {"linear.weight": "keep", "*": "zeros"}, seed=0, device="cpu")
    assert torch.equal(model.linear.weight, weight)
    assert not model.linear.bias.any()
    assert model.scale.tolist() == [3] * 4
    assert model.kept.tolist() == [2] * 4


def test_layers_of_transformers():
    """GPT-2's Conv1D is stored as (in, out); mixtures of experts are batches of matrices, one way or the other."""
    found = {each.name: each for each in parameters(build("gpt2", "meta"))}
    assert found["transformer.h.0.mlp.c_fc.weight"].fans() == (32, 128)
    assert found["transformer.h.0.mlp.c_proj.weight"].fans() == (128, 32)
    assert found["transformer.h.0.mlp.c_fc.weight"].layer.types == ("Conv1D",)

    experts = {each.name.rpartition(".")[2]: each for each in parameters(build("mixtral", "meta"))}
    assert experts["gate_up_proj"].fans() == (32, 128)
    assert experts["down_proj"].fans() == (64, 32)
    with torch.device("meta"):
        oss = AutoModelForCausalLM.from_config(transformers.GptOssConfig(**SMALL, head_dim=8, num_local_experts=4))
    assert next(each for each in parameters(oss) if each.name.endswith("gate_up_proj")).fans() == (32, 128)


def test_time_steps_of_a_mixer():
    """A mixer's own range of time steps counts, in Mamba and Mamba-2; the rest of its parameters have their laws."""
    steps = {"time_step_min": 0.01, "time_step_max": 0.2, "time_step_floor": 0.02}
    bias = MambaDtBias(0.01, 0.2, 0.02)
    for config, name in ((transformers.MambaConfig, "dt_proj.bias"), (transformers.Mamba2Config, "dt_bias")):
        sizes = {"hidden_size": 32, "num_hidden_layers": 2, "vocab_size": 11, "state_size": 4}
        if config is transformers.Mamba2Config:
            sizes |= {"num_heads": 8, "head_dim": 8}
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(config(**sizes, **steps))
        table = init_module(model, "transformer", seed=0, device="cpu")
        found = {row.parameter.name.removeprefix("backbone.layers.1.mixer."): row.scheme for row in table}
        assert found[name] == bias
        assert found["A_log"] == (MambaALog() if config is transformers.MambaConfig else LogOfUniform(1.0, 16.0))
        assert found["D"] == Constant(1.0)


def test_depth_in_a_rule():
    """GPT-2's residual projections by a rule: N(0, (0.02/√(2·layers))²), as its paper says."""
    model = build("gpt2", "meta")
    table = init_module(model, {"*c_proj.weight": {"name": "normal", "std": "=0.02/sqrt(2*layers)"},
                                "*": {"name": "normal", "std": 0.02}}, seed=0, device="cpu")
    assert {row.plan.std for row in table.drawn if row.parameter.name.endswith("c_proj.weight")} == {0.01}
    expected = Normal(std=0.01)((128, 32), seed=0, name="transformer.h.1.mlp.c_proj.weight")
    assert torch.equal(model.transformer.h[1].mlp.c_proj.weight, torch.from_numpy(expected))


@pytest.mark.parametrize("name", ["llama, tied", "gpt2", "bert", "vit"])
def test_the_built_in_rules(name):
    """`transformer` covers the usual models; half precision is kept."""
    model = build(name, "meta").to(torch.bfloat16)
    table = init_module(model, "transformer", seed=0, device="cpu")
    assert {str(row.parameter.dtype) for row in table.drawn} == {"bfloat16"}
    assert json.dumps(table.to_dicts())


def test_a_part_of_a_model():
    """With `prefix` a part gets what it gets in the whole model."""
    whole, part = build("llama, tied"), build("llama, tied")
    init_module(whole, RULES, seed=1)
    init_module(part.model.layers[1], RULES, seed=1, prefix="model.layers.1")
    assert all(map(torch.equal, whole.model.layers[1].parameters(), part.model.layers[1].parameters()))
    part = build("llama, tied", "meta").model
    init_module(part, RULES, seed=1, prefix="model", device="cpu")
    assert all(map(torch.equal, whole.model.state_dict().values(), part.state_dict().values()))
    assert torch.equal(part.rotary_emb.inv_freq, whole.model.rotary_emb.inv_freq)


WHISPER = transformers.WhisperConfig(
    d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2,
    encoder_ffn_dim=16, decoder_ffn_dim=16, vocab_size=60, max_source_positions=12, max_target_positions=10,
    num_mel_bins=8, pad_token_id=0, bos_token_id=1, eos_token_id=2, decoder_start_token_id=1)


@pytest.mark.parametrize("rules", ["transformer", RULES, "he_normal"])
@pytest.mark.parametrize("on_meta", [False, True])
def test_a_frozen_table_that_the_model_computes_stays(rules, on_meta):
    """Whisper's sinusoids are never trained: rules don't draw into them, and memory from meta gets them; it is told."""
    expected = transformers.WhisperModel(WHISPER).encoder.embed_positions.weight
    with torch.device("meta" if on_meta else "cpu"):
        model = transformers.WhisperModel(WHISPER)
    before = model.decoder.embed_positions.weight.clone()

    table = init_module(model, rules, seed=0, device="cpu" if on_meta else None)

    weight = model.encoder.embed_positions.weight
    assert torch.equal(weight, torch.from_numpy(Registry.get("whisper_sinusoids")((12, 16))))
    assert (abs(weight - expected) < 1e-5).all()  # which transformers computes in float32
    assert not model.encoder.embed_positions.weight.requires_grad
    assert on_meta or not torch.equal(model.decoder.embed_positions.weight, before)
    assert "frozen, and computed by the model: it gets these values, whatever the rules: " \
           "encoder.embed_positions.weight" in table.warnings
    kept = init_module(model, fanin.Rules([("encoder.embed*", "keep"), ("*", "ones")]), seed=0)
    assert {row.parameter.name: row for row in kept}["encoder.embed_positions.weight"].scheme is None


TABLES = {
    "pegasus": (transformers.PegasusModel, transformers.PegasusConfig(
        vocab_size=60, d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2, encoder_ffn_dim=16,
        decoder_attention_heads=2, decoder_ffn_dim=16, max_position_embeddings=300), Sinusoidal(halves=True)),
    "roformer": (transformers.RoFormerModel, transformers.RoFormerConfig(
        vocab_size=60, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=300), Sinusoidal(halves=True)),
    "patchtst": (transformers.PatchTSTModel, transformers.PatchTSTConfig(
        d_model=16, num_hidden_layers=1, num_attention_heads=2, ffn_dim=16, context_length=32, patch_length=4,
        patch_stride=4, positional_encoding_type="sincos"), None),
}


@pytest.mark.parametrize("family", TABLES)
def test_frozen_tables_are_drawn_by_their_scheme(family):
    """Sinusoids are known by their values, whatever the class is called; other tables are the model's own, to the bit.
    A checkpoint gets the same."""
    kind, config, scheme = TABLES[family]
    model = kind(config)
    own = {name: each.clone() for name, each in model.named_parameters() if not each.requires_grad}
    assert own

    table = init_module(model, "he_normal", seed=0)

    rows = {row.parameter.name: row for row in table}
    spec = {each.name: each for each in fanin.checkpoint.read_spec(model).tensors}
    for name, values in own.items():
        assert (rows[name].scheme == scheme) if scheme else isinstance(rows[name].scheme, Constant)
        assert spec[name].layer.fixed == rows[name].scheme
        weight = model.get_parameter(name)
        assert torch.equal(weight, values) if scheme is None else (abs(weight - values) < 2e-5).all()


def test_frozen_weights_that_are_drawn_are_told_once():
    """Freezing a whole model, as peft does, makes one warning."""
    model = transformers.WhisperModel(WHISPER).requires_grad_(False)

    warnings = init_module(model, "transformer", seed=0).warnings

    assert sum("drawn, though frozen" in warning for warning in warnings) == 1
