"""Tables that people look at: they fit, fold, count, and are data."""

import io
import json
import re

import numpy as np
import pytest
from rich.console import Console

from fanin import Normal, Rules
from fanin.rules import Layer, Parameter
from fanin.rules._slots import Slot, assign_slots

FLOAT32 = np.dtype("float32")
LINEAR = Layer(("Linear",), "oi*")


def llama(layers=80, width=8192, hidden=28672, kv=1024, vocabulary=128256):
    """The tensors of a Llama of 70.6 billion parameters."""
    shapes = {"self_attn.q_proj": (width, width), "self_attn.k_proj": (kv, width), "self_attn.v_proj": (kv, width),
              "self_attn.o_proj": (width, width), "mlp.gate_proj": (hidden, width), "mlp.up_proj": (hidden, width),
              "mlp.down_proj": (width, hidden), "input_layernorm": (width,), "post_attention_layernorm": (width,)}
    names = [("model.embed_tokens", (vocabulary, width)), ("lm_head", (vocabulary, width)), ("model.norm", (width,)),
             *((f"model.layers.{i}.{name}", shape) for i in range(layers) for name, shape in shapes.items())]
    return [Parameter(f"{name}.weight", shape, np.dtype("float16"), LINEAR if len(shape) > 1 else None)
            for name, shape in names]


def lines(table, **options):
    return table.to_text(**options).splitlines()


def test_a_large_model_fits_on_two_screens():
    """A row for each run of layers, totals in words, no line longer than asked for, and all of it when unfolded."""
    table = Rules.of("transformer").assign(llama())

    folded = lines(table, width=80)

    assert folded[0] == "723 tensors, 70.6 B parameters, 141 GB of float16"
    assert len(folded) == 14
    assert max(map(len, folded)) <= 80
    assert len(lines(table, unfold=True, width=80)) == 725
    assert "model.layers.{0..79}.mlp.up_proj.weight ×80" in table.to_text(width=200)


def test_names_are_shortened_between_words():
    """Whatever stands in the first column is made of whole words of the name, and of an ellipsis."""
    for line in lines(Rules.of("transformer").assign(llama()), width=60)[2:]:
        name = line.split()[0]
        assert set(re.split(r"\.(?![^{]*})", name)) <= {
            "model", "layers", "{0..79}", "self_attn", "mlp", "weight", "embed_tokens", "lm_head", "norm", "…",
            "input_layernorm", "post_attention_layernorm", *(f"{each}_proj" for each in
                                                             ("q", "k", "v", "o", "gate", "up", "down"))}


def test_numbers_have_three_digits_and_fans_are_columns():
    """fan_in, fan_out and std, in the text and in the dicts that frames are made of."""
    table = Rules([("*", "he_normal")]).assign([Parameter("fc.weight", (512, 300), FLOAT32, LINEAR)])

    assert lines(table, width=100) == [
        "1 tensor, 154 k parameters, 614 kB of float32",
        "parameter    shape  layer   rule  scheme                      fan_in  fan_out     std",
        "fc.weight  512×300  Linear  *     VarianceScaling(scale=2.0)     300      512  0.0816"]
    (row,) = json.loads(json.dumps(table.to_dicts()))
    assert (row["fan_in"], row["fan_out"]) == (300, 512)
    assert row["std"] == pytest.approx((2 / 300) ** 0.5)


def test_a_narrow_line_loses_columns_in_order():
    """Layer first, then the dtype, the rule and the fans; names, shapes, schemes and std stay."""
    parameters = [Parameter("fc.weight", (512, 300), FLOAT32, LINEAR), Parameter("b", (3,), np.dtype("float16"))]
    table = Rules([("b", "zeros"), ("*", "he_normal")]).assign(parameters)

    headings = [next(line for line in lines(table, width=width) if "parameter " in line).split()
                for width in (120, 90, 80, 74, 60)]

    assert headings == [
        ["parameter", "shape", "dtype", "layer", "rule", "scheme", "fan_in", "fan_out", "std"],
        ["parameter", "shape", "dtype", "rule", "scheme", "fan_in", "fan_out", "std"],
        ["parameter", "shape", "rule", "scheme", "fan_in", "fan_out", "std"],
        ["parameter", "shape", "scheme", "fan_in", "fan_out", "std"],
        ["parameter", "shape", "scheme", "std"]]


def test_what_is_left_alone_has_a_line_for_each_kind():
    """Buffers, ties and kept parameters, by name; long lists end in a count, unless the table is unfolded."""
    slots = [Slot(Parameter("w", (4, 4), FLOAT32), None),
             *(Slot(Parameter(f"bn{i}.mean{'_' * i}", (4,), FLOAT32), None, left="buffer, left as it is", buffer=True)
               for i in range(8)),
             Slot(Parameter("head", (4, 4), FLOAT32), None, tied="w")]
    table = assign_slots(Rules([("w", "ones")]), slots)

    assert lines(table, width=200)[-2:] == [
        "buffer, left as it is: bn0.mean, bn1.mean_, bn2.mean__, bn3.mean___, bn4.mean____, bn5.mean_____ and 2 more",
        "tied: head to w"]
    assert "bn7" in table.to_text(unfold=True, width=200)


def test_a_table_shows_itself():
    """In a shell, in a notebook and by rich; names are data, not markup."""
    table = Rules([("*", Normal(std=0.5))]).assign([Parameter("<b>[red]a", (8, 8), FLOAT32)])

    assert repr(table) == str(table) == table.to_text()
    assert "&lt;b&gt;[red]a" in table._repr_html_()
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(table)
    assert "<b>[red]a" in console.export_text()


def test_an_empty_table():
    """Nothing to draw is said in a line."""
    assert Rules({"*": "ones"}).assign([]).to_text() == "0 tensors, 0 parameters, 0 B"


@pytest.mark.parametrize(("rules", "shown"), [
    (Rules({"*.bias": "zeros", "*": Normal(std=0.5)}), "<Rules: '*.bias' zeros, '*' normal>"),
    (Rules([(str(i), "ones") for i in range(9)]), "<Rules: '0' ones, '1' ones, '2' ones and 6 more>"),
    (Rules.of("he_normal"), "<Rules: 'he_normal' for weights, and for all else what it starts from>"),
])
def test_rules_are_shown_in_short(rules, shown):
    """The first rules, or the word."""
    assert repr(rules) == shown
