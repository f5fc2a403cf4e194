"""Results as text: they fit a line's width, names lose their middle and no word, runs of layers are one line."""

import pytest

from fanin._report import Column, Content, Grid, fold
from fanin._report.text import shorten, to_text

NAMES = ["model.embed_tokens.weight",
         *(f"model.layers.{i}.{each}.weight" for i in range(80) for each in ("self_attn.q_proj", "mlp.up_proj")),
         "lm_head.weight"]


def table(names, note=""):
    rows = tuple((name, "[8192, 8192]", "0.0156", note) for name in names)
    return Content("a table", ("alive",), (Grid((Column("parameter", path=True), Column("shape"),
                                                 Column("std", number=True), Column("note")), rows),))


@pytest.mark.parametrize("width", [60, 80, 100])
def test_no_line_is_longer_than_the_width(width):
    """Whatever the names, lines fit, and each row is one line where only names are long."""
    text = to_text(table(["model.decoder.layers.11.encoder_attn.relative_attention.embedding.projection.weight"] * 3),
                   width)

    assert max(map(len, text.splitlines())) <= width
    assert len(text.splitlines()) == 2 + 1 + 3  # the words and a blank line, the heading, the rows


def test_names_are_data():
    """What looks like rich's markup or emoji is printed as it is, and long notes break between words."""
    text = to_text(table(["[bold]x[/bold].:smile:"], "left as it is: " + "no rule matches " * 6), 80)

    assert "[bold]x[/bold].:smile:" in text
    assert all(word in {"left", "as", "it", "is:", "no", "rule", "matches"}
               for line in text.splitlines()[4:] for word in line.split())


@pytest.mark.parametrize("width", [16, 24, 32, 40])
def test_a_name_loses_its_middle(width):
    """The beginning and the last word stay, and words are left out whole."""
    name = "encoder.layers.{0..11}.attention.output.dense.weight"

    short = shorten(name, width)

    assert len(short) <= width and "…" in short
    assert short.endswith("weight") and set(short.split(".….")[0].split(".")) <= set(name.split("."))


def test_a_run_of_layers_is_one_line():
    """160 weights of 80 layers are two lines; unequal ones stay apart."""
    runs = fold(NAMES, ["alike"] * len(NAMES))

    assert [str(run) for run in runs] == [
        "model.embed_tokens.weight", "model.layers.{0..79}.self_attn.q_proj.weight ×80",
        "model.layers.{0..79}.mlp.up_proj.weight ×80", "lm_head.weight"]
    assert sorted(row for run in runs for row in run.rows) == list(range(len(NAMES)))


def test_runs_stand_for_exactly_their_rows():
    """Several numbers in a name fold only where all combinations occur; what differs in kind is another run."""
    names = [f"layers.{i}.experts.{j}.w1" for i in range(4) for j in range(8) if (i, j) != (2, 5)]
    odd = [f"block.{i}.weight" for i in range(6)]

    runs = [str(run) for run in fold(names + odd, ["same"] * len(names) + [i % 2 for i in range(6)])]

    assert runs == ["layers.{0,1}.experts.{0..7}.w1 ×16", "layers.2.experts.{0..4,6,7}.w1 ×7",
                    "layers.3.experts.{0..7}.w1 ×8", "block.{0,2,4}.weight ×3", "block.{1,3,5}.weight ×3"]


def test_few_rows_stay_as_they_are():
    """Two layers are not a run."""
    assert [str(run) for run in fold(["0.weight", "2.weight"], [1, 1])] == ["0.weight", "2.weight"]
