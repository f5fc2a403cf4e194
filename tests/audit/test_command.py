"""`fanin audit`: tables on standard output, one line of error, exit status 1 where the rules ask something else."""

import json
import re

import numpy as np
import pytest
from safetensors.numpy import save_file

import fanin
from fanin.cli import main


@pytest.fixture
def path(tmp_path):
    he = fanin.Registry.get("he_normal")
    names = [f"layers.{i}.weight" for i in range(6)]
    tensors = {name: he((256, 64), seed=0, name=name) for name in names} | {"norm.weight": np.ones(64, np.float32)}
    save_file(tensors, tmp_path / "model.safetensors")
    return str(tmp_path / "model.safetensors")


def test_layers_alike_are_one_line(path, capsys):
    """The table has a row for a run of layers, with law and scale in words."""
    assert main(["audit", path]) == 0

    out, err = capsys.readouterr()
    (line,) = [line for line in out.splitlines() if line.startswith("layers")]
    assert "layers.{0..5}.weight ×6" in line and " cut " in line and "√(2/64) = he_normal" in line
    assert err == ""


def test_all_has_a_line_for_each_layer(path, capsys):
    """--all unfolds the runs."""
    assert main(["audit", path, "--all"]) == 0

    assert len(re.findall(r"^layers\.\d\.weight ", capsys.readouterr().out, re.MULTILINE)) == 6


def test_json_is_to_dicts(path, capsys):
    """--json prints what to_dicts() returns."""
    assert main(["audit", path, "--json"]) == 0

    assert json.loads(capsys.readouterr().out) == fanin.audit(path).to_dicts()


def test_rules(path, capsys, tmp_path):
    """The status says whether law and scale are what the rules ask."""
    rules = tmp_path / "rules.toml"
    rules.write_text('[[rule]]\nmatch = "norm.*"\ninit = "ones"\n[[rule]]\nmatch = "*"\ninit = "he_normal"\n')
    assert main(["audit", path, "--rules", str(rules)]) == 0
    assert main(["audit", path, "--rules", "transformer"]) == 1

    out, err = capsys.readouterr()
    assert err == "fanin: error: 6 of 7 tensors are not what the rules ask\n"
    assert "normal, std 0.02" in out


def test_html_is_one_page_with_a_picture(path, tmp_path):
    """--html writes a page that asks the network for nothing."""
    page = tmp_path / "audit.html"
    assert main(["audit", path, "--html", str(page)]) == 0

    text = page.read_text("utf-8")
    assert "<svg" in text and "he_normal" in text and "layers.3.weight" in text
    assert not re.search(r"""(?:src|href)\s*=\s*["'](?!#)""", text)


def test_a_missing_file_is_one_line(capsys):
    """Errors are one line on standard error."""
    assert main(["audit", "nowhere.safetensors"]) == 1

    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and "nowhere.safetensors" in err


def test_views_fit_80_columns(path):
    """The notebook's and the terminal's view say the same; no line of text is longer than 80 characters."""
    result = fanin.audit(path)

    assert max(map(len, result.to_text(width=80).splitlines())) <= 80
    assert "he_normal" in result._repr_html_() and "<table" in result._repr_html_()
    assert len(result.plot().axes) == 2
