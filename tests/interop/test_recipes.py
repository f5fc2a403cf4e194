"""Recipes against the code that they are of."""

import numpy as np
import peft
import pytest
import torch
import transformers

from fanin.rules import Rules
from fanin.rules._files import recipe_names
from fanin.torch import init_module
from originals import compare, compare_with_original

SMALL = {"hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 128,
         "vocab_size": 200, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
EXPERTS = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 32}
VISION = {"hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 128,
          "image_size": 32, "patch_size": 8}
T5 = {"d_model": 64, "d_kv": 16, "d_ff": 128, "num_layers": 3, "num_heads": 4, "vocab_size": 200}
MODERN = {**SMALL, "pad_token_id": None, "cls_token_id": 1, "sep_token_id": 2}
STATES = {"hidden_size": 64, "num_hidden_layers": 3, "vocab_size": 200, "state_size": 8, "pad_token_id": 0,
          "bos_token_id": 1, "eos_token_id": 2}
WHISPER = {"d_model": 64, "encoder_layers": 2, "decoder_layers": 3, "encoder_attention_heads": 4,
           "decoder_attention_heads": 4, "encoder_ffn_dim": 128, "decoder_ffn_dim": 128, "vocab_size": 200,
           "num_mel_bins": 16, "max_source_positions": 32, "max_target_positions": 64, "pad_token_id": 0,
           "bos_token_id": 1, "eos_token_id": 2, "decoder_start_token_id": 1, "init_std": 0.03}
DEEPSEEK = {**SMALL, "num_key_value_heads": 4, "moe_intermediate_size": 32, "n_routed_experts": 4, "n_group": 1,
            "topk_group": 1, "num_experts_per_tok": 2, "first_k_dense_replace": 1, "q_lora_rank": 32,
            "kv_lora_rank": 32, "qk_rope_head_dim": 8, "qk_nope_head_dim": 16, "v_head_dim": 16}
# what a table may say of these: frozen sinusoids, and adapters in a frozen model
pytestmark = [pytest.mark.filterwarnings("ignore:frozen, and computed by the model:fanin.FaninWarning"),
              pytest.mark.filterwarnings("ignore::FutureWarning")]


def made(config, architecture, **options):
    """A function that makes a model of transformers with its own initialization."""
    return lambda: getattr(transformers, architecture)(getattr(transformers, config)(**options))


def adapted(base, *modules, **options):
    """A function that makes a model with LoRA's adapters at these modules, as PEFT initializes them."""
    return lambda: peft.get_peft_model(ORIGINALS[base](), peft.LoraConfig(r=8, target_modules=list(modules), **options))


ORIGINALS = {
    "gpt2": made("GPT2Config", "GPT2LMHeadModel", n_embd=64, n_layer=3, n_head=4, vocab_size=200, n_positions=64,
                 initializer_range=0.03, bos_token_id=1, eos_token_id=2),
    "llama": made("LlamaConfig", "LlamaForCausalLM", **SMALL, num_key_value_heads=2, initializer_range=0.01),
    "llama-mixtral": made("MixtralConfig", "MixtralForCausalLM", **SMALL, num_key_value_heads=2, num_local_experts=4),
    "gemma-1": made("GemmaConfig", "GemmaForCausalLM", **SMALL, num_key_value_heads=2, head_dim=16),
    "gemma-2": made("Gemma2Config", "Gemma2ForCausalLM", **SMALL, num_key_value_heads=2, head_dim=16),
    "gemma-3": made("Gemma3TextConfig", "Gemma3ForCausalLM", **SMALL, num_key_value_heads=2, head_dim=16),
    "qwen-2": made("Qwen2Config", "Qwen2ForCausalLM", **SMALL, num_key_value_heads=2),
    "qwen-3": made("Qwen3Config", "Qwen3ForCausalLM", **SMALL, num_key_value_heads=2, head_dim=16),
    "qwen-moe": made("Qwen3MoeConfig", "Qwen3MoeForCausalLM", **SMALL, num_key_value_heads=2, head_dim=16, **EXPERTS),
    "qwen-2-moe": made("Qwen2MoeConfig", "Qwen2MoeForCausalLM", **SMALL, num_key_value_heads=2, **EXPERTS,
                       shared_expert_intermediate_size=64),
    "bert-mlm": made("BertConfig", "BertForMaskedLM", **SMALL, max_position_embeddings=64),
    "bert-nsp": made("BertConfig", "BertForPreTraining", **SMALL, max_position_embeddings=64),
    "bert-classes": made("BertConfig", "BertForSequenceClassification", **SMALL, max_position_embeddings=64),
    "bert-roberta": made("RobertaConfig", "RobertaForSequenceClassification", **SMALL, max_position_embeddings=64),
    "vit": made("ViTConfig", "ViTForImageClassification", **VISION),
    "vit-model": made("ViTConfig", "ViTModel", **VISION),
    "t5-tied": made("T5Config", "T5ForConditionalGeneration", **T5),
    "t5-untied": made("T5Config", "T5ForConditionalGeneration", **T5, tie_word_embeddings=False,
                      feed_forward_proj="gated-gelu", initializer_factor=0.5),
    "t5-classes": made("T5Config", "T5ForSequenceClassification", **T5),
    "modernbert-mlm": made("ModernBertConfig", "ModernBertForMaskedLM", **MODERN),
    "modernbert-untied": made("ModernBertConfig", "ModernBertForMaskedLM", **MODERN, tie_word_embeddings=False),
    "modernbert-classes": made("ModernBertConfig", "ModernBertForSequenceClassification", **MODERN),
    "mamba": made("MambaConfig", "MambaForCausalLM", **STATES),
    "mamba-rescaled": made("MambaConfig", "MambaForCausalLM", **STATES, rescale_prenorm_residual=True),
    "mamba-2": made("Mamba2Config", "Mamba2ForCausalLM", **STATES, num_heads=8, head_dim=16, n_groups=1, expand=2),
    "llama-mistral": made("MistralConfig", "MistralForCausalLM", **SMALL, num_key_value_heads=2),
    "whisper": made("WhisperConfig", "WhisperForConditionalGeneration", **WHISPER),
    "whisper-model": made("WhisperConfig", "WhisperModel", **WHISPER),
    "whisper-classes": made("WhisperConfig", "WhisperForAudioClassification", **WHISPER, use_weighted_layer_sum=True),
    "gpt-oss": made("GptOssConfig", "GptOssForCausalLM", **SMALL, num_key_value_heads=2, head_dim=16,
                    num_local_experts=4, num_experts_per_tok=2),
    "deepseek-v3": made("DeepseekV3Config", "DeepseekV3ForCausalLM", **DEEPSEEK),
    "deepseek-v3-one-q": made("DeepseekV3Config", "DeepseekV3ForCausalLM", **{**DEEPSEEK, "q_lora_rank": None}),
    "lora": adapted("llama", "q_proj", "v_proj", "down_proj"),
    "lora-embedding": adapted("llama", "embed_tokens", "o_proj"),
    "lora-conv": adapted("whisper", "conv1", "conv2"),
    "lora-bias": adapted("bert-mlm", "query", lora_bias=True),
    "lora-dora": adapted("llama", "q_proj", use_dora=True),
}
BY_NAME = {"layer_weights", "projector.weight"}  # parameters of Whisper's classifier without a role


def recipe_of(case):
    """The recipe whose name a case begins with."""
    return max(filter(case.startswith, recipe_names()), key=len)


@pytest.mark.parametrize("case", ORIGINALS)
def test_a_recipe_is_what_its_source_does(case):
    """Every parameter gets the law that the model's own code gives it, its config's std included.

    DeepSeek-V3's config has the std 0.02, the recipe without a config the report's 0.006. The original of whisper,
    gpt-oss and deepseek-v3 is transformers' code: their authors' own only loads weights, and draws none.
    """
    table = compare_with_original(ORIGINALS[case], recipe_of(case), draws=4)
    assert all("embed_positions" in each for each in table.warnings)
    assert all(row["role"] or row["parameter"] in BY_NAME for row in table.to_dicts()
               if "Buffer" not in row["note"] and row["rule"])


@pytest.mark.parametrize("options", [{}, {"use_dora": True}])
def test_lora_keeps_the_model_that_it_adapts(options):
    """Not one bit of a base model changes, nor DoRA's magnitudes, which are norms of its rows; adapters do."""
    model = adapted("llama", "q_proj", **options)()
    before = {name: each.detach().clone() for name, each in model.named_parameters()}
    init_module(model, "lora", seed=0)
    changed = {name for name, each in model.named_parameters() if not torch.equal(each, before[name])}
    assert changed == {name for name in before if ".lora_A." in name}


def test_nanochat_is_its_authors():
    """In transformers' NanoChat, too, the recipe draws what Karpathy's code does, not what that model's own does."""
    model = made("NanoChatConfig", "NanoChatForCausalLM", **SMALL, num_key_value_heads=4)()
    layer = model.model.layers[0]
    assert layer.self_attn.q_proj.weight.std().item() == pytest.approx(0.02, rel=0.1)  # 9 sigma of it
    init_module(model, "nanochat", seed=0)
    assert layer.self_attn.q_proj.weight.abs().max().item() == pytest.approx((3 / 64) ** 0.5, rel=0.01)
    assert layer.mlp.fc1.weight.abs().max().item() == pytest.approx(0.4 * (3 / 64) ** 0.5, rel=0.01)
    assert not layer.self_attn.o_proj.weight.any() and not layer.mlp.fc2.weight.any()


def test_deepseek_has_two_stds():
    """The report's 0.006 holds where no config is read, the config's where there is one."""
    assert Rules.read("deepseek-v3").variables["std"] == 0.006
    assert Rules.read("deepseek-v3").with_config({"initializer_range": 0.02}).variables["std"] == 0.02
    assert transformers.DeepseekV3Config().initializer_range == 0.02


@pytest.mark.parametrize("cutoff", [2.0, 3.0])
def test_modernbert_is_cut_exactly(cutoff):
    """Every normal of ModernBERT ends at the config's cutoff times its own std, and comes close to it."""
    model = made("ModernBertConfig", "ModernBertForMaskedLM", **MODERN, initializer_cutoff_factor=cutoff)()
    for row in init_module(model, "modernbert", seed=3).drawn:
        if type(row.scheme).__name__ == "TruncatedNormal":
            values = model.get_parameter(row.parameter.name).detach().abs().max().item()
            assert 0.97 < values / (cutoff * row.scheme.std) <= 1, row.parameter.name


@pytest.mark.parametrize("change", [lambda x: x * 1.1, lambda x: x + 0.002, lambda x: np.clip(x, -0.04, 0.04)],
                         ids=["std", "mean", "bounds"])
def test_the_comparison_has_power(change):
    """A std or mean off by a tenth of the std, and cut tails, are found."""
    theirs, mine = np.random.default_rng(0).normal(0, 0.02, (2, 40_000))
    compare("same", theirs, mine)
    with pytest.raises(AssertionError):
        compare("other", theirs, change(mine))


def test_a_stage_of_a_model_has_the_whole_models_depth():
    """A part of a model, whose names count few layers, is scaled by its config's number of layers."""
    model = ORIGINALS["gpt2"]()
    part = torch.nn.ModuleDict({"h": torch.nn.ModuleList([model.transformer.h[0]])})
    table = init_module(part, "gpt2", seed=0, partial=True)
    std = next(row.plan.std for row in table if row.parameter.name.endswith("attn.c_proj.weight"))
    assert std == pytest.approx(0.03 / 6**0.5)
