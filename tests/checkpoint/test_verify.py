"""`verify`: what a right checkpoint, a damaged one, a foreign one and a mixture of two are told apart by."""

import json
import math
import os
import shutil

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from fanin import Blocks, Constant, FaninError, Normal, Orthogonal, Sparse
from fanin.checkpoint import Difference, init, verify
from fanin.checkpoint import _pieces as pieces
from fanin.checkpoint._index import INDEX as INDEX_NAME
from fanin.rules import Layer, Parameter

# One of each width of numbers, of each way to make a tensor.
MODEL = [Parameter("normal.f32", (50, 7), "float32"), Parameter("normal.f64", (9,), "float64"),
         Parameter("normal.bf16", (40, 3), "bfloat16"), Parameter("normal.f16", (), "float16"),
         Parameter("normal.c64", (5, 9), "complex64"), Parameter("sparse", (20, 7), "float32"),
         Parameter("flags", (5, 5), "bool"), Parameter("ids", (3, 19), "int64"), Parameter("bytes", (101,), "uint8"),
         Parameter("empty", (0, 4), "float32"), Parameter("orthogonal.f32", (20, 30), "float32"),
         Parameter("orthogonal.bf16", (30, 12), "bfloat16"), Parameter("qkv", (12, 8), "float32")]
RULES = {"normal.*": Normal(0.5, 0.1), "sparse": Sparse(0.3), "flags": "eye", "ids": "arange", "bytes": Constant(7),
         "orthogonal.*": Orthogonal(gain=2.0), "qkv": Blocks([Orthogonal(), "zeros", Normal()]), "*": "ones"}
BITS = [each.name for each in MODEL if not each.name.startswith(("orthogonal", "qkv", "empty"))]


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "model.safetensors"
    init(MODEL, path, RULES, seed=7)
    return path


def place(path, name):
    """(first byte, numpy dtype, shape) of a tensor in a file."""
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    entry = json.loads(data[8:start])[name]
    kind = next(each for each in MODEL if each.name == name).dtype
    dtype = np.dtype(ml_dtypes.bfloat16) if kind == "bfloat16" else np.dtype(kind)
    return start + entry["data_offsets"][0], dtype, entry["shape"]


def change(path, name, element, update):
    """Replace one element of a tensor by `update(it)`; (old, new)."""
    start, dtype, _ = place(path, name)
    data = bytearray(path.read_bytes())
    at = start + element * dtype.itemsize
    old = np.frombuffer(data[at:at + dtype.itemsize], dtype)[0]
    data[at:at + dtype.itemsize] = new = update(old).tobytes()
    path.write_bytes(data)
    return old, np.frombuffer(new, dtype)[0]


def flip(bit):
    """An update that changes one bit of an element."""
    def update(value):
        data = np.frombuffer(value.tobytes(), np.uint8).copy()
        data[bit // 8] ^= 1 << bit % 8
        return data.view(value.dtype)[0]

    return update


@pytest.mark.parametrize("buffer", [16, 400, 2**20])
def test_a_right_file_is_ok(path, monkeypatch, buffer):
    """Wherever the pieces begin and end, and the report says how much was compared, and how."""
    monkeypatch.setattr(pieces, "BUFFER", buffer)
    seen = []

    (report,) = verify(path, progress=lambda done, total: seen.append((done, total)))

    size = sum(array.nbytes for array in load_file(path).values())
    assert report.ok and report.problem is None and report.differences == ()
    assert report[:5] == (str(path), len(MODEL), sum(array.size for array in load_file(path).values()), size, 3)
    assert seen[-1] == (size, size) and seen == sorted(set(seen))


@pytest.mark.parametrize("name", BITS)
@pytest.mark.parametrize("buffer", [64, 2**20])
def test_one_wrong_bit_is_found(path, monkeypatch, name, buffer):
    """The lowest bit of the last element: the tensor, the element, both values, and how many differ, and no other."""
    monkeypatch.setattr(pieces, "BUFFER", buffer)
    shape = place(path, name)[2]
    old, new = change(path, name, int(np.prod(shape)) - 1, flip(0))

    (report,) = verify(path)

    assert not report.ok
    assert report.differences == (Difference(name, tuple(dim - 1 for dim in shape), new, old, 1, int(np.prod(shape))),)


def test_every_difference_is_counted_and_the_first_is_shown(path):
    """Also where they lie in different pieces; tensors in the order in which the file has them."""
    shown = change(path, "normal.f32", 10, flip(30))
    for element in (11, 200, 349):
        change(path, "normal.f32", element, flip(5))
    change(path, "sparse", 139, flip(31))

    differences = verify(path)[0].differences

    assert [(each.name, each.first, each.differing, each.size) for each in differences] == \
        [("normal.f32", (1, 3), 4, 350), ("sparse", (19, 6), 1, 140)]
    assert (differences[0].expected, differences[0].found) == shown
    assert str(differences[0]) == (f"normal.f32: 4 of 350 elements differ, the first at [1, 3]: found "
                                   f"{shown[1]!s}, expected {shown[0]!s}")


def test_the_sign_of_zero_and_the_bits_of_nan_count(tmp_path):
    """Bits are compared, not values; where two print alike the bits are shown."""
    path = tmp_path / "model"
    init([Parameter("normal.f32", (50, 7), "float32")], path, {"*": Constant(float("nan"))})
    change(path, "normal.f32", 3, flip(0))
    (nan,) = verify(path)[0].differences
    init([Parameter("normal.f32", (50, 7), "float32")], path, {"*": "zeros"}, overwrite=True)
    change(path, "normal.f32", 3, flip(31))
    (zero,) = verify(path)[0].differences

    assert (nan.first, nan.differing, zero.first, zero.differing) == ((0, 3), 1, (0, 3), 1)
    assert "found nan (0x7fc00001), expected nan (0x7fc00000)" in str(nan)
    assert "found -0.0, expected 0.0" in str(zero)


@pytest.mark.parametrize(("name", "gain", "step"), [
    ("orthogonal.f32", 2.0, 0.0), ("orthogonal.bf16", 2.0, 2**-7), ("qkv", 1.0, 0.0)])
def test_orthogonal_tensors_are_compared_within_their_bound(path, name, gain, step):
    """1e-5 times the gain, before rounding to a half type; beyond it, or NaN, is a difference."""
    bound = 1e-5 * gain
    old, _ = change(path, name, 5, lambda value: (value + value.dtype.type(0.9 * bound)).astype(value.dtype))
    assert verify(path)[0].ok

    change(path, name, 5, lambda value: (old + old.dtype.type(1.2 * bound + 2.5 * step * abs(old))).astype(old.dtype))
    (difference,) = verify(path)[0].differences
    assert (difference.name, difference.differing, difference.expected) == (name, 1, old)
    assert difference.first == tuple(map(int, np.unravel_index(5, place(path, name)[2])))

    change(path, name, 5, lambda value: value.dtype.type(np.nan))
    assert [each.name for each in verify(path)[0].differences] == [name]


def test_other_rules_or_another_seed_can_be_asked_about(path):
    """Arguments come before the metadata: what the file would be with them is drawn."""
    random = {"normal.f32", "normal.f64", "normal.bf16", "normal.f16", "normal.c64", "sparse", "orthogonal.f32",
              "orthogonal.bf16", "qkv"}

    assert {each.name for each in verify(path, seed=8)[0].differences} == random
    assert verify(path, RULES, seed=7)[0].ok
    assert [each.name for each in verify(path, RULES | {"bytes": Constant(8)})[0].differences] == ["bytes"]


# -- what the metadata must hold -------------------------------------------------------------------------------------

LAYERED = [Parameter("up.weight", (8, 4, 3, 3), "float32", Layer(("ConvTranspose2d",), "io*", 2, True)),
           Parameter("up.bias", (8,), "float32"),
           *(Parameter(f"h.{i}.out.weight", (6, 6), "float32", Layer(("Linear",), "oi*")) for i in range(3)),
           Parameter("emb.weight", (10, 4), "float32", Layer(("Embedding",), padding_idx=3))]
BY_LAYER = [{"match": "*.weight", "layer": "Conv*", "init": "he_normal"},
            {"match": "*.bias", "init": {"name": "variance_scaling", "mode": "fan_in"}, "fans_of": "weight"},
            {"match": "h.*", "init": {"name": "normal", "std": "=0.02/sqrt(2*layers)"}},
            {"match": "emb.*", "layer": "Embedding", "init": "normal"}]


@pytest.mark.parametrize("options", [{}, {"max_shard_size": 100}, {"shard": (2, 4)}], ids=["one", "many", "part"])
def test_layers_and_siblings_are_in_the_metadata(tmp_path, options):
    """Fans of layers, padding rows, depths and fans of siblings are known again, from any one of the files."""
    out = tmp_path / "out"
    written = init(LAYERED, out, BY_LAYER, seed=3, **options)

    for file in written:
        assert [report.ok for report in verify(file.path)] == [True]
        shutil.copy(file.path, tmp_path / "alone")
        assert verify(tmp_path / "alone")[0].ok
    if len(written) > 1:
        assert [report.path for report in verify(out)] == [file.path for file in written]
        assert all(report.ok for report in verify(out / INDEX_NAME))
    without = [each._replace(layer=None) for each in LAYERED if not each.name.startswith("emb")]
    assert len(written) == 1 or len(json.loads((out / INDEX_NAME).read_text())["weight_map"]) == len(LAYERED)
    with pytest.raises(FaninError, match="layer"):
        init(without, tmp_path / "without", BY_LAYER)


def test_a_checkpoint_from_elsewhere_needs_rules_and_seed(path, tmp_path):
    """Saved again by another library, without fanin's metadata, its tensors are what they were."""
    other = tmp_path / "other"
    save_file(load_file(path), other, {"format": "pt"})

    for given in ({}, {"rules": RULES}, {"seed": 7}):
        with pytest.raises(FaninError, match="does not say how it was made: `rules` and `seed` must be given") as error:
            verify(other, **given)
        assert str(error.value).startswith(f"{other}: ")
    assert verify(other, RULES, seed=7)[0].ok
    assert not verify(other, RULES, seed=6)[0].ok


def test_tensors_may_lie_in_another_order(path, tmp_path):
    """A file that another writer has laid out by names, with numbers at odd places, holds the same tensors."""
    table, data, end = {"__metadata__": _metadata(path)}, b"", 0
    arrays = load_file(path)
    for name in sorted(arrays):
        array = arrays[name]
        start, end = end, end + array.nbytes
        table[name] = {"dtype": _header(path)[name]["dtype"], "shape": list(array.shape), "data_offsets": [start, end]}
        data += array.tobytes()
    other = tmp_path / "other"
    text = json.dumps(table).encode()
    other.write_bytes(len(text).to_bytes(8, "little") + text + data)

    assert verify(other)[0].ok


def _header(path):
    data = path.read_bytes()
    return json.loads(data[8:8 + int.from_bytes(data[:8], "little")])


def _metadata(path):
    return _header(path)["__metadata__"]


def rewrite(path, update):
    """Change a file's header, and keep its data."""
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    table = json.loads(data[8:start])
    update(table)
    text = json.dumps(table).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + data[start:])


def test_another_version_of_fanin_draws_the_same(path):
    """The stream's version says which bits are drawn, not the package's."""
    rewrite(path, lambda table: table["__metadata__"].update({"fanin.version": "9.1"}))

    assert verify(path)[0].ok


METADATA = [
    ({"fanin.stream_version": "2", "fanin.version": "9.1"}, "stream version 2, .*: use the fanin that wrote it, 9.1"),
    ({"fanin.seed": "x"}, "the metadata of fanin"), ({"fanin.seed": "-1"}, "`seed` must be in"),
    ({"fanin.seed": None}, "the metadata of fanin"), ({"fanin.rules": "{"}, "the metadata of fanin"),
    ({"fanin.rules": "[]"}, "the metadata of fanin"), ({"fanin.rules": "{}"}, "at least one"),
    ({"fanin.options": "3"}, "the metadata of fanin"), ({"fanin.options": '{"layout": "tf"}'}, "`layout` must be"),
    ({"fanin.layers": '{"sparse": {"colour": 1}}'}, "`layer` may have"),
    ({"fanin.layers": "7"}, "the metadata of fanin"), ({"fanin.model": '{"w": 1}'}, "the metadata of fanin"),
    ({"fanin.rules": '{"rule": [{"match": "*", "init": {"scheme": "nowhere"}}]}'}, "nowhere"),
    ({"fanin.rules": '{"rule": [{"match": "*", "init": "keep"}]}'}, "must get values"),
]


@pytest.mark.parametrize(("update", "rule"), METADATA)
def test_metadata_that_cannot_be_used_are_one_line(path, update, rule):
    """A newer stream, or metadata that somebody has edited: said in a line that begins with the file."""
    def put(table):
        for key, text in update.items():
            table["__metadata__"][key] = text
            if text is None:
                del table["__metadata__"][key]

    rewrite(path, put)

    with pytest.raises(FaninError, match=rule) as error:
        verify(path)

    assert str(error.value).startswith(f"{path}: ") and "\n" not in str(error.value)


# -- damaged files --------------------------------------------------------------------------------------------------


def test_a_file_of_the_wrong_size_is_a_problem(path):
    """Cut off, or longer than its header says, by a byte or by half."""
    data = path.read_bytes()

    for wrong, rule in ((data[:-1], "is cut off: it must have"), (data[:len(data) // 2], "is cut off: it must have"),
                        (data + b"\0", "has something after its last tensor"), (data[:100], "header is cut off"),
                        (b"", "not valid JSON"), (b"\x00" * 3, "8 bytes of length"), (b'{"a": 1}', "no header")):
        path.write_bytes(wrong)
        (report,) = verify(path)
        assert not report.ok and rule in report.problem and str(path) not in report.problem, report


def test_a_file_that_shrinks_while_it_is_read(path, monkeypatch):
    """A problem of the file, not a comparison with something else."""
    monkeypatch.setattr(pieces, "BUFFER", 64)

    def shrink(done, total):
        os.truncate(path, os.path.getsize(path) // 2)

    assert verify(path, progress=shrink)[0].problem == "was cut off while it was read"


def test_headers_that_no_writer_makes_are_a_problem(path):
    """Gaps, overlaps and dtypes that fanin does not draw."""
    def overlap(table):
        table["sparse"]["data_offsets"] = [start := table["orthogonal.f32"]["data_offsets"][0], start + 20 * 7 * 4]

    def narrow(table):
        table["bytes"] |= {"dtype": "F4", "shape": [2 * math.prod(table["bytes"]["shape"])]}

    original = path.read_bytes()
    for update, rule in ((overlap, "one after another without gaps"), (narrow, "F4, which fanin does not draw")):
        path.write_bytes(original)
        rewrite(path, update)
        assert rule in verify(path)[0].problem


def test_tensors_that_have_changed_places_are_differences(path):
    """Two names of one shape, exchanged in the header: both tensors differ in every element."""
    init([Parameter(name, (64,), "float32") for name in "abc"], path, {"*": "normal"}, seed=1, overwrite=True)

    def exchange(table):
        table["a"], table["c"] = table["c"], table["a"]

    rewrite(path, exchange)

    assert sorted((each.name, each.differing) for each in verify(path)[0].differences) == [("a", 64), ("c", 64)]


# -- folders ----------------------------------------------------------------------------------------------------------

PLAIN = [Parameter(f"{i}.w", (30, 10), "float32") for i in range(5)]
FILES = [f"model-{i:05d}-of-00005.safetensors" for i in range(1, 6)]


@pytest.fixture
def folder(tmp_path):
    init(PLAIN, tmp_path / "folder", {"*": "normal"}, max_shard_size=1200)
    return tmp_path / "folder"


def test_each_bad_file_of_a_folder_is_reported(folder, tmp_path):
    """One missing, one cut off, one of another seed, one with a wrong element; the good one is still OK."""
    init(PLAIN, tmp_path / "other", {"*": "normal"}, max_shard_size=1200, seed=1)
    (folder / FILES[1]).unlink()
    os.truncate(folder / FILES[2], 900)
    shutil.copy(tmp_path / "other" / FILES[3], folder)
    data = bytearray((folder / FILES[4]).read_bytes())
    data[-1] ^= 1
    (folder / FILES[4]).write_bytes(data)

    reports = verify(folder)

    assert [os.path.basename(report.path) for report in reports] == FILES
    assert [report.ok for report in reports] == [True, False, False, False, False]
    assert reports[1].problem == "is missing, but the index lists it"
    assert "is cut off" in reports[2].problem
    assert reports[3].problem == f"is of another checkpoint than {FILES[0]}: `fanin.seed` in their metadata differs"
    assert [each.first for each in reports[4].differences] == [(29, 9)]


def test_an_index_and_its_files_must_agree(folder):
    """A tensor in another file than the index says, or in none."""
    index = json.loads((folder / INDEX_NAME).read_text())
    index["weight_map"]["0.w"] = FILES[1]
    index["weight_map"]["9.w"] = FILES[2]
    (folder / INDEX_NAME).write_text(json.dumps(index))

    reports = verify(folder)

    # the first file is now listed by nothing; the second lacks a tensor of the first, the third one that nobody has
    assert [os.path.basename(report.path) for report in reports] == FILES[1:]
    assert [report.problem for report in reports] == [
        "lacks '0.w', which the index says is there", "lacks '9.w', which the index says is there", None, None]


def test_a_folder_with_a_single_file(tmp_path, path):
    """`model.safetensors` in a folder is what loaders take, and so does verify; an empty folder is refused."""
    assert [report.path for report in verify(tmp_path)] == [str(path)]
    (tmp_path / "empty").mkdir()
    (tmp_path / "table.json").write_text("{}")

    with pytest.raises(FaninError, match="must have model.safetensors or model.safetensors.index.json"):
        verify(tmp_path / "empty")
    with pytest.raises(FaninError, match="or an index with a `weight_map`"):
        verify(tmp_path / "table.json")
    with pytest.raises(FileNotFoundError):
        verify(tmp_path / "missing")


def test_a_foreign_folder_is_compared_as_one_model(folder):
    """Without metadata, rules that look at other tensors find them in the other files."""
    rules = [{"match": "*", "init": {"name": "normal", "std": "=layers"}}]
    init(PLAIN, folder, rules, max_shard_size=1200, overwrite=True)
    for name in FILES:
        save_file(load_file(folder / name), folder / name, {"format": "pt"})

    assert all(report.ok for report in verify(folder, rules, seed=0))
    assert not verify(folder / FILES[0], rules, seed=0)[0].ok  # alone it is a model of one layer
