"""The writer: each tensor's bits, the official writer's bytes, and complete files or none."""

import json
import os
import stat

import numpy as np
import pytest
from safetensors import deserialize
from safetensors.numpy import save

from fanin import Constant, Eye, FaninError, Normal, Orthogonal, Sparse, VarianceScaling
from fanin.checkpoint import writer
from fanin.checkpoint.header import DTYPES, TensorInfo
from fanin.checkpoint.rules import Draw
from fanin.checkpoint.writer import check_target, lay_out, write

# One of each way to make a tensor, for each width of numbers: few, since each new sampler and type is compiled.
CASES = {
    "normal.f32": (Normal(0.5, 0.1), (7, 13), "F32"),
    "normal.f64": (Normal(), (37,), "F64"),
    "normal.bf16": (Normal(), (41, 3), "BF16"),
    "normal.c64": (Normal(), (5, 9), "C64"),
    "he.f32": (VarianceScaling(2.0, distribution="normal"), (8, 3, 3, 3), "F32"),
    "orthogonal.f32": (Orthogonal(), (9, 12), "F32"),
    "orthogonal.bf16": (Orthogonal(), (12, 5), "BF16"),
    "sparse.f32": (Sparse(0.3), (20, 7), "F32"),
    "eye.bool": (Eye(), (5, 5), "BOOL"),
    "array.i32": (Constant(np.arange(19)), (3, 19), "I32"),
    "array.f32": (Constant([[1.0], [2.0]]), (2, 30), "F32"),
    "ones.u8": (Constant(1), (100,), "U8"),
    "scalar.f32": (Normal(), (), "F32"),
    "empty.f32": (Normal(), (0, 4), "F32"),
}


def draws(cases=CASES):
    infos = [TensorInfo(name, shape, dtype) for name, (_, shape, dtype) in cases.items()]
    schemes = [scheme for scheme, _, _ in cases.values()]
    return [Draw(info, "*", scheme, repr(scheme), scheme.describe(info.shape, info.numpy_dtype))
            for info, scheme in zip(infos, schemes)]


@pytest.mark.parametrize("buffer", [16, 48, 4096])
def test_every_tensor_is_its_schemes_own_draw(tmp_path, monkeypatch, buffer):
    """A file's tensors equal scheme(shape, dtype, seed, name), wherever the pieces begin and end."""
    monkeypatch.setattr(writer, "BUFFER", buffer)
    path = tmp_path / "model.safetensors"

    write([lay_out(str(path), draws(), {"format": "pt"})], seed=7)

    written = dict(deserialize(path.read_bytes()))
    for name, (scheme, shape, code) in CASES.items():
        expected = scheme(shape, dtype=DTYPES[code], seed=7, name=name)
        assert (tuple(written[name]["shape"]), written[name]["dtype"]) == (shape, code)
        assert bytes(written[name]["data"]) == expected.tobytes(), name


def test_the_file_is_the_official_writers(tmp_path):
    """For the same tensors and metadata the whole file is byte-identical to the official writer's."""
    path = tmp_path / "model.safetensors"
    arrays = {draw.info.name: np.asarray(draw.scheme(draw.info.shape, dtype=draw.info.numpy_dtype, seed=0,
                                                     name=draw.info.name)) for draw in draws()}

    write([lay_out(str(path), draws(), {"format": "pt"})], seed=0)

    assert path.read_bytes() == save(arrays, {"format": "pt"})


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_an_interrupted_write_leaves_nothing(tmp_path, error):
    """Neither a final name nor a temporary one appears, a folder made for it goes, and an older file stays."""
    older = tmp_path / "old.safetensors"
    older.write_bytes(b"old")
    for path in (older, tmp_path / "folder" / "new.safetensors"):
        left = 5

        def stop(nbytes):
            nonlocal left
            left -= 1
            if not left:
                raise error

        with pytest.raises(error):
            write([lay_out(str(path), draws(), {})], seed=0, index=(str(path) + ".index", "{}"), progress=stop)

    assert os.listdir(tmp_path) == ["old.safetensors"]
    assert older.read_bytes() == b"old"


def test_nothing_is_written_without_space(tmp_path):
    """A model larger than the disk is refused before a file appears."""
    scheme = Constant(0.0)
    info = TensorInfo("w", (2**55,), "F32")
    draw = Draw(info, "*", scheme, repr(scheme), scheme.describe(info.shape))

    with pytest.raises(FaninError, match=r"must have \d+ bytes free"):
        write([lay_out(str(tmp_path / "model.safetensors"), [draw], {})], seed=0)

    assert os.listdir(tmp_path) == []


def test_files_and_index_appear_together(tmp_path):
    """Several files and the index are written into a new folder, with the permissions that the process gives files."""
    folder = tmp_path / "model"
    half = len(CASES) // 2
    files = [lay_out(str(folder / name), part, {}) for name, part in (("a", draws()[:half]), ("b", draws()[half:]))]
    plain = tmp_path / "plain"
    plain.touch()
    seen = []

    write(files, seed=0, index=(str(folder / "index.json"), json.dumps({})), progress=seen.append)

    assert sorted(os.listdir(folder)) == ["a", "b", "index.json"]
    assert sum(seen) == sum(file.nbytes for file in files) == sum((folder / name).stat().st_size for name in "ab")
    assert stat.S_IMODE((folder / "a").stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_a_link_is_followed(tmp_path):
    """Writing to a symbolic link replaces the file that it points to."""
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there" / "model")

    assert check_target(tmp_path / "link", folder=False) == os.path.realpath(tmp_path / "there" / "model")


def test_targets_that_cannot_be(tmp_path):
    """A folder where a file should be, a file where a folder should be, a pipe, a missing parent."""
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")

    for path, folder, rule in ((tmp_path, False, "is a folder"), (tmp_path / "file", True, "is a file"),
                               (tmp_path / "pipe", False, "a pipe"), (tmp_path / "no" / "x", False, "does not"),
                               (tmp_path / "no" / "x", True, "does not")):
        with pytest.raises(FaninError, match=rule):
            check_target(path, folder)
