"""Files that are there already: none is replaced unasked, and none ever that the model is read from."""

import json
import os

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from fanin import FaninError
from fanin.checkpoint import init, read_spec, write_table
from fanin.checkpoint._index import INDEX
from fanin.cli import main
from fanin.rules import Parameter

MODEL = [Parameter("a", (30, 10), "float32"), Parameter("b", (7,), "float32")]
RULES = {"*": "uniform"}


@pytest.fixture
def trained(tmp_path):
    """A file with weights that nobody can draw again."""
    path = tmp_path / "trained.safetensors"
    save_file({"a": np.full((30, 10), 3, np.float32), "b": np.arange(7, dtype=np.float32)}, path)
    return path


def snapshot(folder):
    return {name: (folder / name).read_bytes() for name in sorted(os.listdir(folder))}


def test_trained_weights_are_not_replaced_by_their_own_initialization(trained, capsys):
    """`fanin init X -o X` ends with status 1 and leaves X, with --overwrite too."""
    rules = trained.parent / "rules.toml"
    rules.write_text("[[rule]]\nmatch = '*'\ninit = 'zeros'")
    before = snapshot(trained.parent)

    for options in ([], ["--overwrite"]):
        assert main(["init", str(trained), "--rules", str(rules), "-o", str(trained), *options]) == 1
        assert "must not be a file that the model is read from" in capsys.readouterr().err

    assert snapshot(trained.parent) == before


@pytest.mark.parametrize("link", [os.symlink, os.link])
def test_a_link_to_the_model_is_the_model(trained, link):
    """By whatever name: writing through a symbolic link replaces what it points to."""
    link(trained, trained.parent / "link.safetensors")

    with pytest.raises(FaninError, match="must not be a file that the model is read from"):
        init(trained, trained.parent / "link.safetensors", RULES, overwrite=True)

    assert load_file(trained)["a"][0, 0] == 3


@pytest.mark.parametrize("spec", ["", INDEX])
def test_a_folder_is_not_initialized_in_place(tmp_path, spec):
    """Neither its files nor its index, whether the folder or the index is the model."""
    init(MODEL, tmp_path / "model", RULES, max_shard_size=1200)
    before = snapshot(tmp_path / "model")

    with pytest.raises(FaninError, match="must not be a file that the model is read from"):
        init(tmp_path / "model" / spec, tmp_path / "model", RULES, seed=1, max_shard_size=1200, overwrite=True)

    assert snapshot(tmp_path / "model") == before


@pytest.mark.parametrize(("content", "held"), [
    (None, "2 tensors, 307 elements, not fanin's"), (b"", "0 bytes that are no safetensors file"),
    (b"PK\x03\x04 weights", "12 bytes that are no safetensors file"),
])
def test_the_refusal_says_what_the_file_holds(tmp_path, trained, content, held):
    """One line, with the way to replace it; nothing is written beside it."""
    if content is not None:
        trained.write_bytes(content)
    before = snapshot(tmp_path)

    with pytest.raises(FaninError, match=rf"{trained} must not be there .*\(it holds {held}\): .*--overwrite"):
        init(MODEL, trained, RULES)

    assert snapshot(tmp_path) == before
    assert not init(MODEL, trained, RULES, overwrite=True)[0].there
    assert load_file(trained).keys() == {"a", "b"}


def test_another_seed_is_another_file(tmp_path):
    """The refusal names the seed that is there; the same seed goes on as before."""
    path = tmp_path / "model.safetensors"
    init(MODEL, path, RULES, seed=8)

    with pytest.raises(FaninError, match="307 elements, fanin's with seed 8"):
        init(MODEL, path, RULES, seed=7)

    assert init(MODEL, path, RULES, seed=8)[0].there


def test_a_file_that_comes_while_another_is_written_stays(tmp_path):
    """What somebody puts there in the meantime is seen before the name is taken."""
    path = tmp_path / "model.safetensors"

    with pytest.raises(FaninError, match="5 bytes that are no safetensors file"):
        init(MODEL, path, RULES, progress=lambda done, total: path.write_bytes(b"other"))

    assert snapshot(tmp_path) == {path.name: b"other"}


def test_an_index_of_another_model_is_not_replaced_unasked(tmp_path):
    """Nothing is written before the refusal."""
    (tmp_path / INDEX).write_text('{"weight_map": {"w": "w.safetensors"}}')
    before = snapshot(tmp_path)

    with pytest.raises(FaninError, match=f"{INDEX} must not be there with other contents"):
        init(MODEL, tmp_path, RULES, max_shard_size=1200)

    assert snapshot(tmp_path) == before
    init(MODEL, tmp_path, RULES, max_shard_size=1200, overwrite=True)
    assert set(json.loads((tmp_path / INDEX).read_text())["weight_map"]) == {"a", "b"}


@pytest.mark.parametrize("name", ["x.pt", "x.BIN", "x.tar.gz", "x.safetensors.bak", "x.json"])
def test_names_of_other_formats_are_refused(tmp_path, name):
    """A reader would take the file for something else."""
    with pytest.raises(FaninError, match="`output` must end in .safetensors, since a safetensors file is written"):
        init(MODEL, tmp_path / name, RULES)

    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("name", ["weights", "X.SAFETENSORS", "llama-3.2", "a.b/model"])
def test_names_without_a_suffix_are_files(tmp_path, name):
    """A number after a point is a version, and a folder's suffix is not the file's."""
    (tmp_path / "a.b").mkdir()

    (written,) = init(MODEL, tmp_path / name, RULES)

    assert written.path == str(tmp_path / name) and load_file(written.path).keys() == {"a", "b"}


@pytest.mark.parametrize("exists", [True, False])
def test_a_folder_gets_a_file_of_the_name_that_loaders_look_for(tmp_path, exists):
    """A folder that is there, or a name with a separator at its end."""
    if exists:
        (tmp_path / "out").mkdir()

    (written,) = init(MODEL, str(tmp_path / "out") + ("" if exists else os.sep), RULES)

    assert written.path == str(tmp_path / "out" / "model.safetensors")
    assert os.listdir(tmp_path / "out") == ["model.safetensors"]


def test_a_table_replaces_nothing_unasked(tmp_path, trained):
    """`write_table` and `fanin spec -o` keep to the same rules."""
    table, spec = tmp_path / "table.json", read_spec(trained)
    table.write_text("notes of mine")

    with pytest.raises(FaninError, match="table.json must not be there with other contents"):
        write_table(spec, table)
    with pytest.raises(FaninError, match="must end in .json"):
        write_table(spec, trained, overwrite=True)
    assert table.read_text() == "notes of mine"

    write_table(spec, table, overwrite=True)
    write_table(spec, table)
    assert read_spec(table).tensors == spec.tensors
    assert main(["spec", str(trained), "-o", str(table)]) == 0
