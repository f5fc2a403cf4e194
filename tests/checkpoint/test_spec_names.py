"""What names and shapes don't tell is said where it matters, and only there."""

import json

import numpy as np
import pytest

from fanin.checkpoint._spec.names import untold
from fanin.cli import main
from fanin.rules import Layer, Parameter

GPT2 = {"wte.weight": (50, 8), "wpe.weight": (16, 8), "h.0.ln_1.weight": (8,), "h.0.ln_1.bias": (8,),
        "h.0.attn.c_attn.weight": (8, 24), "h.0.attn.c_attn.bias": (24,), "h.0.attn.c_proj.weight": (8, 8),
        "h.0.attn.c_proj.bias": (8,), "h.0.mlp.c_proj.weight": (32, 8), "h.0.mlp.c_proj.bias": (8,)}
LINEAR = {"fc.weight": (24, 8), "fc.bias": (24,), "out.weight": (8, 8), "out.bias": (8,), "head.weight": (50, 8),
          "conv.weight": (8, 4, 3, 3), "conv.bias": (8,)}


def parameters(shapes, layer=None):
    return [Parameter(name, shape, np.dtype("float32"), layer) for name, shape in shapes.items()]


def test_weights_stored_in_out_are_found_by_their_biases():
    """Also a square one, where another of its name is: all of GPT-2's, and its embeddings for their padding rows."""
    embeddings, turned = untold(parameters(GPT2))

    assert embeddings.startswith("it may be an embedding") and "wte.weight, wpe.weight" in embeddings
    assert turned.startswith("by its bias it is stored (in, out)")
    assert "h.0.attn.c_attn.weight, h.0.attn.c_proj.weight, h.0.mlp.c_proj.weight" in turned


def test_experts_are_told_in_both_forms():
    """One tensor for each, which transformers joins, and one for all, whose axes nobody knows."""
    one, stack = untold(parameters({"mlp.experts.0.up_proj.weight": (16, 8), "mlp.experts.gate_up": (4, 8, 32)}))

    assert "one tensor for all experts" in one and "mlp.experts.0.up_proj.weight" in one
    assert "a stack of experts" in stack and "mlp.experts.gate_up" in stack


@pytest.mark.parametrize(("shapes", "layer"), [(LINEAR, None), (GPT2, Layer(("Conv1D",)))])
def test_nothing_is_said_of_what_is_plain_or_known(shapes, layer):
    """torch's layers by their names and shapes, and whatever has a layer."""
    assert untold(parameters(shapes, layer)) == []


def test_the_command_line_prints_the_remarks(tmp_path, capsys):
    """As notes on standard output, for a JSON table and for a file's header."""
    table = {name: {"shape": shape, "dtype": "F32"} for name, shape in GPT2.items()}
    (tmp_path / "gpt2.json").write_text(json.dumps(table))

    for spec in ("gpt2.json", "gpt2.safetensors"):
        assert main(["init", str(tmp_path / spec), "--rules", "transformer", "-o",
                     str(tmp_path / "gpt2.safetensors" if spec.endswith("json") else tmp_path / "again")]) == 0
        out = capsys.readouterr().out
        assert out.count("note: it may be an embedding") == out.count("note: by its bias it is stored (in, out)") == 1
