"""Hugging Face's folders and indexes: what is read, in which order, and every way in which they can contradict."""

import json
import os

import pytest

from fanin import FaninError
from fanin.checkpoint import Spec, read_spec
from fanin.checkpoint._format import bytes_of, dtype_of, encode, file_position
from fanin.rules import Parameter


def tensor(name, shape, code):
    return Parameter(name, shape, dtype_of(code))


def file_order(tensors):
    return sorted(tensors, key=file_position)


A = [tensor("layers.0.w", (4, 3), "F32"), tensor("embed", (7, 3), "BF16")]
B = [tensor("layers.1.w", (4, 3), "F32"), tensor("head", (7, 3), "F16")]
FILES = {"model-00001-of-00002.safetensors": A, "model-00002-of-00002.safetensors": B}
INDEX = "model.safetensors.index.json"


def write_files(folder, files=FILES, metadata=None):
    """Headers alone: no data follows."""
    folder.mkdir(exist_ok=True)
    for file, tensors in files.items():
        (folder / file).write_bytes(encode(file_order(tensors), {"format": "pt"} if metadata is None else metadata))
    return folder


def index(files=FILES, **changes):
    owners = {info.name: file for file, tensors in files.items() for info in tensors}
    size = sum(bytes_of(info) for tensors in files.values() for info in tensors)
    return {"metadata": {"total_size": size}, "weight_map": dict(sorted(owners.items()))} | changes


def write_index(folder, table, name=INDEX):
    (folder / name).write_text(json.dumps(table))
    return folder


@pytest.fixture
def model(tmp_path):
    return write_index(write_files(tmp_path / "model"), index())


EXPECTED = Spec([*file_order(A), *file_order(B)], {"format": "pt"})


def refused(source, *parts):
    with pytest.raises(FaninError) as caught:
        read_spec(source)
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert part in message, message
    return message


def test_a_folder_and_its_index_are_the_headers_in_the_order_of_files(model):
    """Tensors come file by file, each in its header's order; the index's own order, by name, changes nothing."""
    table = index()
    table["weight_map"] = dict(reversed(table["weight_map"].items()))

    assert read_spec(model) == read_spec(str(model)) == read_spec(model / INDEX) == EXPECTED
    assert read_spec(write_index(model, table)) == EXPECTED
    assert [info.name for info in read_spec(model).tensors] == ["layers.0.w", "embed", "layers.1.w", "head"]


def test_the_index_may_be_given_from_its_own_folder(model, monkeypatch):
    """A path without a folder means files beside it."""
    monkeypatch.chdir(model)

    assert read_spec(INDEX) == read_spec(".") == EXPECTED


def test_a_hub_cache_of_links_is_read(tmp_path, model):
    """In the hub's cache snapshots/ holds links to blobs/, the index too."""
    snapshot, blobs = tmp_path / "snapshots" / "abc", tmp_path / "blobs"
    snapshot.mkdir(parents=True)
    blobs.mkdir()
    for number, path in enumerate(sorted(model.iterdir())):
        path.rename(blobs / str(number))
        (snapshot / path.name).symlink_to(os.path.join("..", "..", "blobs", str(number)))

    assert read_spec(snapshot) == read_spec(snapshot / INDEX) == EXPECTED


@pytest.mark.parametrize("name", ["diffusion_pytorch_model.safetensors.index.json",
                                  "model.safetensors.index.fp16.json"])
def test_another_index_is_read_where_it_is_the_only_one(tmp_path, name):
    """diffusers and variants name their index otherwise; of two, one must be given."""
    folder = write_index(write_files(tmp_path / "model"), index(), name)

    assert read_spec(folder) == read_spec(folder / name) == EXPECTED

    write_index(folder, index(), "other.safetensors.index.json")
    refused(folder, name, "other.safetensors.index.json", "give the one that is meant")
    assert read_spec(folder / name) == EXPECTED


@pytest.mark.parametrize("name", ["model.safetensors", "adapter_model.safetensors"])
def test_a_folder_with_one_file_is_that_file(tmp_path, name):
    """Its only safetensors file is the model."""
    folder = write_files(tmp_path / "model", {name: A + B})

    assert read_spec(folder) == read_spec(folder / name) == Spec(file_order(A + B), {"format": "pt"})


def test_the_single_file_goes_before_an_index_and_it_is_said(model):
    """Of both, transformers loads model.safetensors; so does fanin, with a remark."""
    write_files(model, {"model.safetensors": A})

    spec = read_spec(model)

    assert spec.tensors == file_order(A)
    assert len(spec.notes) == 1 and INDEX in spec.notes[0]


def test_metadata_is_what_all_files_say(model):
    """A file's own metadata are not the model's."""
    write_files(model, {"model-00002-of-00002.safetensors": B}, {"format": "pt", "part": "2"})

    assert read_spec(model).metadata == {"format": "pt"}


def test_a_missing_file_is_named(model):
    """So is the index that lists it."""
    (model / "model-00002-of-00002.safetensors").unlink()

    for source in (model, model / INDEX):
        refused(source, str(model / "model-00002-of-00002.safetensors"), "No such file", INDEX)


def test_a_tensor_in_another_file_is_named(model):
    """The index says one file, the headers another."""
    table = index()
    table["weight_map"]["head"] = "model-00001-of-00002.safetensors"

    refused(write_index(model, table), INDEX,
            "head is in model-00002-of-00002.safetensors, not in model-00001-of-00002.safetensors")


def test_a_tensor_in_two_files_is_named(model):
    """The copy that the index doesn't mean is a contradiction too."""
    write_files(model, {"model-00002-of-00002.safetensors": [*B, A[0]]})

    refused(model, "layers.0.w is in model-00002-of-00002.safetensors, not in model-00001-of-00002.safetensors")


def test_tensors_that_no_file_has_are_named(model):
    """The index lists more than there is."""
    table = index()
    table["weight_map"] |= {f"lost.{i}": "model-00001-of-00002.safetensors" for i in range(7)}

    refused(write_index(model, table), "lost.0 in model-00001-of-00002.safetensors", "and 2 more", "not there")


def test_tensors_that_the_index_lacks_are_named(model):
    """The files have more than the index lists."""
    table = index()
    del table["weight_map"]["head"]

    refused(write_index(model, table), "head in model-00002-of-00002.safetensors", "lacks")


@pytest.mark.parametrize("total", [1, 12.5, "big"])
def test_a_wrong_total_size_is_remarked(model, total):
    """Nothing reads it, and published indexes are wrong about it; the headers decide."""
    spec = read_spec(write_index(model, index(metadata={"total_size": total})))

    assert spec == EXPECTED
    assert len(spec.notes) == 1 and str(total) in spec.notes[0]


@pytest.mark.parametrize("metadata", [{}, None, [], {"total_size": float(sum(map(bytes_of, A + B)))}])
def test_an_index_needs_no_total_size(model, metadata):
    """Some tools write none, and older ones wrote a float."""
    assert read_spec(write_index(model, index(metadata=metadata))) == EXPECTED


@pytest.mark.parametrize(("table", "rule"), [
    ({"weight_map": {}}, "at least one tensor"),
    ({"weight_map": {"w": 1}}, "a file's name"),
    ({"weight_map": {"w": None}}, "a file's name"),
    ({"weight_map": {"w": ""}}, "own folder"),
    ({"weight_map": {"w": "../other/model.safetensors"}}, "own folder"),
    ({"weight_map": {"w": "/etc/model.safetensors"}}, "own folder"),
    ({"weight_map": {"w": "..\\model.safetensors"}}, "own folder"),
    ({"weight_map": {"w": "a\0.safetensors"}}, "own folder"),
    ({"weight_map": {"w": "C:model.safetensors"}}, "own folder"),
    ({"weight_map": {"w": "pytorch_model-00001-of-00001.bin"}}, "save_pretrained"),
    ({"weight_map": ["w"]}, "an index with a `weight_map`"),
    ({"w": {"shape": [1], "dtype": "F32"}}, "an index with a `weight_map`"),
    ([], "must be a table"),
])
def test_a_wrong_index_is_refused_in_one_line(tmp_path, table, rule):
    """The message names the index and what is wrong with it; no file outside its folder is opened."""
    folder = write_index(write_files(tmp_path / "model"), table)

    assert refused(folder, rule).startswith(f"{folder / INDEX}: ")


def test_a_tensor_may_be_called_weight_map(tmp_path):
    """A JSON table with a tensor of this name is no index."""
    path = tmp_path / "model.json"
    path.write_text('{"weight_map": {"shape": [2], "dtype": "F32"}}')

    assert read_spec(path).tensors == [tensor("weight_map", (2,), "F32")]


def test_a_file_that_is_no_safetensors_file_is_named(model):
    """JSON under the name of a safetensors file is not taken for a table."""
    path = model / "model-00002-of-00002.safetensors"
    path.write_text('{"head": {"shape": [7, 3], "dtype": "F16"}}')
    refused(model, str(path), "must be a safetensors file")

    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    refused(model, str(path), "git lfs pull")


@pytest.mark.parametrize(("names", "parts"), [
    ([], ["model.safetensors", "FILE.py:FUNCTION"]),
    (["config.json", "tokenizer.json"], ["model.safetensors", "FILE.py:FUNCTION"]),
    (["pytorch_model.bin"], ["pytorch_model.bin", "save_pretrained"]),
    (["pytorch_model.bin.index.json", "pytorch_model-00001-of-00001.bin"], ["save_pretrained"]),
    (["tf_model.h5", "flax_model.msgpack"], ["flax_model.msgpack, tf_model.h5"]),
    (["a.safetensors", "b.safetensors"], ["a.safetensors, b.safetensors", INDEX]),
])
def test_a_folder_without_a_model_says_what_to_do(tmp_path, names, parts):
    """The message names the folder, what it has, and the next step."""
    for name in names:
        (tmp_path / name).write_text("{}")

    assert refused(tmp_path, *parts).startswith(f"{tmp_path}: ")


def test_a_name_of_the_hub_says_how_to_get_the_model(tmp_path, monkeypatch):
    """Only files are read; nothing is fetched."""
    monkeypatch.chdir(tmp_path)

    with pytest.raises(FileNotFoundError, match=r"hf download.*'bigscience/bloom'"):
        read_spec("bigscience/bloom")


def test_a_pipeline_names_the_folders_of_its_models(tmp_path):
    """A diffusers pipeline has a folder for each model."""
    for name in ("vae", "unet", "scheduler"):
        (tmp_path / name).mkdir()
    for name in ("vae", "unet"):
        write_files(tmp_path / name, {"diffusion_pytorch_model.safetensors": A})

    refused(tmp_path, str(tmp_path / "unet"))
    assert read_spec(tmp_path / "unet").tensors == file_order(A)
