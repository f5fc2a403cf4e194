"""What `fanin init` writes is loaded by transformers, and by torch's distributed checkpoint: models from configs."""

import json
import shutil

import numpy as np
import pytest
import torch
import torch.distributed.checkpoint as dcp
from torch.distributed.checkpoint import HuggingFaceStorageReader
from transformers import AutoModelForCausalLM, AutoModelForMaskedLM, AutoModelForSeq2SeqLM

from fanin import Normal
from fanin.checkpoint import read_spec
from fanin.checkpoint._format import parse_dtype
from fanin.cli import main
from fanin.torch import init_module

MODELS = '''
import torch
from transformers import (AutoModelForCausalLM, AutoModelForMaskedLM, AutoModelForSeq2SeqLM, BertConfig, GPT2Config,
                          LlamaConfig, T5Config)


def llama():
    return AutoModelForCausalLM.from_config(LlamaConfig(
        hidden_size=48, intermediate_size=80, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
        vocab_size=150), dtype=torch.bfloat16)


def gpt2():
    return AutoModelForCausalLM.from_config(GPT2Config(
        n_embd=32, n_layer=2, n_head=4, vocab_size=90, n_positions=16, bos_token_id=1, eos_token_id=2))


def bert():
    return AutoModelForMaskedLM.from_config(BertConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, vocab_size=90))


def t5():
    return AutoModelForSeq2SeqLM.from_config(T5Config(
        d_model=32, d_kv=8, d_ff=48, num_layers=2, num_heads=4, vocab_size=90))
'''
LOADERS = {"llama": AutoModelForCausalLM, "gpt2": AutoModelForCausalLM, "bert": AutoModelForMaskedLM,
           "t5": AutoModelForSeq2SeqLM}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """A file with functions that build models, and a folder for each that `save_pretrained` has filled."""
    folder = tmp_path_factory.mktemp("models")
    (folder / "models.py").write_text(MODELS)
    space = {}
    exec(MODELS, space)
    for name in LOADERS:
        space[name]().save_pretrained(folder / name, max_shard_size="20KB")
    return folder


@pytest.mark.parametrize("name", LOADERS)
def test_a_module_and_its_saved_folder_are_the_same_model(models, name):
    """Names, shapes and dtypes of the module on meta are those that `save_pretrained` has written: ties, buffers."""
    built, saved = read_spec(f"{models / 'models.py'}:{name}"), read_spec(models / name)

    assert {info[:3] for info in built.tensors} == {info[:3] for info in saved.tensors}
    assert saved == read_spec(models / name / "model.safetensors.index.json")
    assert saved.metadata == {"format": "pt"} and saved.notes == ()
    assert len(list((models / name).glob("*.safetensors"))) > 2


@pytest.mark.parametrize("name", LOADERS)
def test_transformers_loads_what_init_writes(models, tmp_path, name):
    """From the folder alone, in other shards: no key is missing or unexpected, and the bits are fanin's."""
    out = tmp_path / "out"
    assert main(["init", str(models / name), "--rules", "transformer", "--seed", "5", "--max-shard-size", "30KB", "-o",
                 str(out)]) == 0
    shutil.copy(models / name / "config.json", out)

    model, report = LOADERS[name].from_pretrained(out, output_loading_info=True)

    assert not any(report.values()), report
    state = model.state_dict()
    for info in read_spec(models / name).tensors:
        assert parse_dtype(str(state[info.name].dtype)) == info.dtype
        if "norm" not in info.name.lower() and "ln_" not in info.name and info.name.endswith("weight"):
            expected = Normal(0.0, 0.02)(info.shape, dtype=info.dtype, seed=5, name=info.name)
            if info.layer is not None and info.layer.padding_idx is not None:  # which the config beside tells
                expected[info.layer.padding_idx] = 0
            assert bits(state[info.name]).equal(torch.from_numpy(expected.view(f"i{expected.itemsize}"))), info.name


def bits(tensor):
    return tensor.detach().view({2: torch.int16, 4: torch.int32}[tensor.element_size()])


@pytest.mark.parametrize("name", LOADERS)
def test_a_file_from_the_module_is_the_initialized_module(models, tmp_path, name):
    """`fanin init file.py:function` gives `from_pretrained` the model that `init_module` makes, fans by layer too."""
    (tmp_path / "out").mkdir()
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps({"rule": [{"match": "*", "rank": 1, "init": "ones"},
                                          {"match": "*", "init": "he_normal"}]}))
    assert main(["init", f"{models / 'models.py'}:{name}", "--rules", str(rules), "-o",
                 str(tmp_path / "out" / "model.safetensors")]) == 0
    shutil.copy(models / name / "config.json", tmp_path / "out")

    loaded, report = LOADERS[name].from_pretrained(tmp_path / "out", output_loading_info=True)

    assert not any(report.values()), report
    module = LOADERS[name].from_pretrained(models / name)
    init_module(module, str(rules), seed=0)
    expected = module.state_dict()
    for key, values in loaded.state_dict().items():
        assert torch.equal(bits(values), bits(expected[key])), key


@pytest.mark.filterwarnings("ignore:torch.distributed is disabled:UserWarning")  # one process is what is meant
def test_the_distributed_reader_loads_what_init_writes(models, tmp_path):
    """torch.distributed.checkpoint reads the shards by their headers, and gets the same tensors as transformers."""
    out = tmp_path / "out"
    for part in (1, 2, 3):
        assert main(["init", str(models / "llama"), "--rules", "transformer", "--shard", f"{part}/3", "-o",
                     str(out)]) == 0
    tensors = read_spec(models / "llama").tensors
    state = {info.name: torch.zeros(info.shape, dtype=torch.bfloat16) for info in tensors}

    dcp.load(state, storage_reader=HuggingFaceStorageReader(str(out)), no_dist=True)

    shutil.copy(models / "llama" / "config.json", out)
    loaded = AutoModelForCausalLM.from_pretrained(out).state_dict()
    assert loaded.keys() == state.keys()
    for name, values in state.items():
        assert torch.equal(bits(values), bits(loaded[name])), name
    assert np.isclose(state["lm_head.weight"].double().std().item(), 0.02, rtol=6 / (2 * 150 * 48) ** 0.5)


def test_headers_alone_are_a_model(models, tmp_path):
    """Files cut off after their headers, as a few range requests fetch them, are read like the whole ones."""
    for path in (models / "gpt2").iterdir():
        data = path.read_bytes()
        end = 8 + int.from_bytes(data[:8], "little") if path.suffix == ".safetensors" else len(data)
        (tmp_path / path.name).write_bytes(data[:end])

    assert read_spec(tmp_path) == read_spec(models / "gpt2")
