"""`fanin.audit` on what the frameworks' own initializers draw, on what transformers' models start from, and on trained
weights: the laws are known, so are the scales. Seeds are fixed; of 1,000 tensors at most one may get a wrong name.
"""

import os
import subprocess
import sys
from importlib.metadata import distribution

import jax
import jax.nn.initializers as jax_initializers
import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import save_file
from torch import nn

import fanin

TORCH = {
    "kaiming_normal_": ("normal", "√(2/256) = kaiming_normal"), "kaiming_uniform_": ("uniform", "±√(6/256)"),
    "xavier_normal_": ("normal", "√(2/768) = xavier_normal"), "xavier_uniform_": ("uniform", "±√(6/768)"),
    "normal_": ("normal", "1"), "trunc_normal_": ("truncated", "1 before the cut"), "uniform_": ("uniform", None),
    "orthogonal_": ("orthogonal", None), "eye_": ("identity", None), "ones_": ("constant", None),
}
JAX = {
    "he_normal": ("truncated", "√(2/512) = he_normal"), "he_uniform": ("uniform", "±√(6/512) = he_uniform"),
    "glorot_normal": ("truncated", "√(2/768) = glorot_normal"), "glorot_uniform": ("uniform", "±√(6/768)"),
    "lecun_normal": ("truncated", "√(1/512) = lecun_normal"), "orthogonal": ("orthogonal", None),
    "normal": ("normal", "0.01"), "truncated_normal": ("truncated", "0.01 before the cut"),
}
KERAS = {
    "HeNormal": ("truncated", "√(2/512) = he_normal"), "HeUniform": ("uniform", "±√(6/512) = he_uniform"),
    "GlorotNormal": ("truncated", "√(2/768) = glorot_normal"), "GlorotUniform": ("uniform", "±√(6/768)"),
    "LecunNormal": ("truncated", "√(1/512) = lecun_normal"), "RandomNormal": ("normal", "0.05"),
    "RandomUniform": ("uniform", "±0.05"), "TruncatedNormal": ("truncated", "0.05 before the cut"),
    "Orthogonal": ("orthogonal", None), "Identity": ("identity", None), "Zeros": ("constant", None),
}


def check(entry, law, words):
    assert entry.law.name == law
    assert words is None or any(words in str(meaning) for meaning in entry.meanings)


@pytest.mark.parametrize(("name", "dtype"), [
    (name, dtype) for name in TORCH for dtype in (torch.float32, torch.bfloat16)
    if (name, dtype) != ("orthogonal_", torch.bfloat16)])  # in which torch has no QR
def test_torch_initializers(name, dtype):
    """What torch.nn.init draws has the law and scale of its documentation, in bfloat16 too."""
    torch.manual_seed(0)
    weight = torch.empty(512, 256, dtype=dtype)
    getattr(nn.init, name)(weight)

    check(fanin.audit({"w": weight})[0], *TORCH[name])


@pytest.mark.parametrize("name", JAX)
def test_jax_initializers(name):
    """What jax.nn.initializers draws, with JAX's order of axes."""
    make = getattr(jax_initializers, name)
    weight = (make if name in ("zeros", "ones") else make())(jax.random.key(0), (512, 256), jax.numpy.float32)

    check(fanin.audit({"w": weight}, layout="jax")[0], *JAX[name])


DRAW_BY_KERAS = """
import sys, keras, numpy
drawn = {}
for name in sys.argv[2:]:
    keras.utils.set_random_seed(0)
    weight = getattr(keras.initializers, name)()((256, 256) if name == "Identity" else (512, 256))
    drawn[name] = numpy.asarray(weight)
numpy.savez(sys.argv[1], **drawn)
"""


@pytest.fixture(scope="module", params=["jax", "numpy", "torch"])
def drawn_by_keras(request, tmp_path_factory):
    """{name of an initializer: what it draws}, in a process of its own, which is where a backend is chosen."""
    path = tmp_path_factory.mktemp("keras") / "drawn.npz"
    subprocess.run([sys.executable, "-c", DRAW_BY_KERAS, path, *KERAS], check=True,
                   env={**os.environ, "KERAS_BACKEND": request.param})
    with np.load(path) as file:
        return dict(file)


@pytest.mark.parametrize("name", KERAS)
def test_keras_initializers(drawn_by_keras, name):
    """What Keras' initializers draw on each backend; on torch 4 in a million of its cut normals lie beyond the cut."""
    check(fanin.audit({"w": drawn_by_keras[name]}, layout="jax")[0], *KERAS[name])


SIZES = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 128,
         "vocab_size": 500}
IDS = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
FAMILIES = {
    "bert": SIZES, "roberta": SIZES, "electra": SIZES, "gpt_neox": SIZES, "vit": SIZES,
    "llama": SIZES | IDS | {"num_key_value_heads": 4}, "qwen2": SIZES | IDS | {"num_key_value_heads": 4},
    "gpt2": {"n_embd": 64, "n_layer": 2, "n_head": 4, "vocab_size": 500, "bos_token_id": 1, "eos_token_id": 2},
    "t5": {"d_model": 64, "d_kv": 16, "d_ff": 128, "num_layers": 2, "num_heads": 4, "vocab_size": 500},
    "opt": {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4, "ffn_dim": 128, "vocab_size": 500,
            "word_embed_proj_dim": 64},
    "distilbert": {"dim": 64, "n_layers": 2, "n_heads": 4, "hidden_dim": 128, "vocab_size": 500},
    "whisper": {"d_model": 64, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": 2,
                "decoder_attention_heads": 2, "encoder_ffn_dim": 128, "decoder_ffn_dim": 128, "vocab_size": 500,
                "decoder_start_token_id": 1} | IDS,
}


@pytest.mark.parametrize("family", FAMILIES)
def test_models_of_transformers_as_they_start(family, tmp_path):
    """A model's own _init_weights: every matrix follows a law, norms and biases are constant, nothing looks odd.

    Read from a file as save_pretrained writes it, with config.json beside it.
    """
    torch.manual_seed(0)
    model = transformers.AutoModel.from_config(transformers.AutoConfig.for_model(family, **FAMILIES[family]))
    model.save_pretrained(tmp_path)
    result = fanin.audit(tmp_path)

    assert [entry.name for entry in result if entry.law.name == "none"] == []
    matrices = [entry for entry in result if len(entry.parameter.shape) == 2 and entry.seen.moments.size >= 4096]
    assert {entry.law.name for entry in matrices} <= {"normal", "sinusoid"} and len(matrices) >= 8
    assert {entry.law.name for entry in result if len(entry.parameter.shape) == 1} <= {"constant", "few"}
    assert result.findings == ()


def test_a_model_that_is_not_what_the_rules_ask():
    """GPT-2 scales its residual projections by 1/√(2·layers); the set "transformer" doesn't, and the audit says so."""
    torch.manual_seed(0)
    model = transformers.AutoModel.from_config(transformers.GPT2Config(**FAMILIES["gpt2"] | {"n_embd": 128}))
    found = [finding for finding in fanin.audit(model.state_dict(), "transformer").findings if finding.kind == "rules"]

    (scaled,) = found
    assert scaled.names == tuple(f"h.{i}.{each}.c_proj.weight" for i in (0, 1) for each in ("attn", "mlp"))
    assert "0.02/√(2·2)" in scaled.text


@pytest.fixture(scope="module")
def trained():
    """A network that has learned something: which of two rotated spirals a point lies on, from 400 steps of Adam."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(16, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(),
                          nn.Linear(256, 2))
    before = {name: value.clone() for name, value in model.state_dict().items()}
    turn = torch.linspace(0.5, 6, 1000).repeat(2)
    side = torch.arange(2).repeat_interleave(1000)
    angle = turn + torch.pi * side
    points = torch.stack([turn * angle.cos(), turn * angle.sin()], 1) @ torch.randn(2, 16) / 4
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3, weight_decay=1e-4)
    for _ in range(400):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(points + 0.02 * torch.randn_like(points)), side)
        loss.backward()
        optimizer.step()
    assert loss < 0.1
    return before, model.state_dict()


def test_training_makes_a_model_none_of_these(trained, tmp_path):
    """The weights that torch drew follow its law before the training, and none after it."""
    before, after = trained
    save_file(after, tmp_path / "model.safetensors")
    matrices = ["2.weight", "4.weight"]
    laws = {entry.name: entry.law.name for entry in fanin.audit(tmp_path)}

    assert {entry.law.name for entry in fanin.audit(before) if entry.name in matrices} == {"uniform"}
    assert [laws[name] for name in matrices] == ["none", "none"]


def test_a_published_model_is_none_of_these():
    """silero-vad's weights, as its wheel brings them: no tensor follows a random law; the small ones are too few."""
    file = distribution("silero-vad").locate_file("silero_vad/data/silero_vad_16k.safetensors")
    result = fanin.audit(str(file))

    for entry in result:
        assert not entry.law.is_random, entry.name
        assert entry.law.name == "none" or entry.seen.moments.size < 2048
    assert result.verdict.startswith("Trained")


def test_tensors_of_any_library_are_the_same():
    """numpy, torch and JAX arrays, transposed too, give the same audit."""
    values = np.random.Generator(np.random.PCG64(0)).standard_normal((64, 128)).astype(np.float32)
    wanted = fanin.audit({"w": values}).to_dicts()

    assert fanin.audit({"w": torch.from_numpy(values)}).to_dicts() == wanted
    assert fanin.audit({"w": jax.numpy.asarray(values)}).to_dicts() == wanted
    assert fanin.audit({"w": torch.from_numpy(values.T.copy()).T}).to_dicts() == wanted
    assert fanin.audit({"w": nn.Parameter(torch.from_numpy(values))}).to_dicts() == wanted
