"""The writer: each tensor's bits, the official writer's bytes, and complete files or none."""

import errno
import os
import resource
import stat
import threading

import numpy as np
import pytest
from safetensors import deserialize
from safetensors.numpy import save

from fanin import Constant, Eye, FaninError, Normal, Orthogonal, Sparse, VarianceScaling
from fanin.checkpoint import _pieces as pieces
from fanin.checkpoint._format import DTYPES, dtype_of
from fanin.checkpoint._writing import staging
from fanin.checkpoint._writing.folder import check_target
from fanin.checkpoint._writing.writer import is_written, lay_out, write
from fanin.rules import Parameter, Row

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


def row(name, scheme, shape, code):
    parameter = Parameter(name, shape, dtype_of(code))
    return Row(parameter, "*", scheme, repr(scheme), scheme.describe(shape, parameter.dtype))


def rows():
    return [row(name, *case) for name, case in CASES.items()]


@pytest.mark.parametrize("buffer", [16, 48, 4096])
def test_every_tensor_is_its_schemes_own_draw(tmp_path, monkeypatch, buffer):
    """A file's tensors equal scheme(shape, dtype, seed, name), wherever the pieces begin and end."""
    monkeypatch.setattr(pieces, "BUFFER", buffer)
    path = tmp_path / "model.safetensors"

    write(lay_out(str(path), rows(), {"format": "pt"}), seed=7)

    written = dict(deserialize(path.read_bytes()))
    for name, (scheme, shape, code) in CASES.items():
        expected = scheme(shape, dtype=DTYPES[code], seed=7, name=name)
        assert (tuple(written[name]["shape"]), written[name]["dtype"]) == (shape, code)
        assert bytes(written[name]["data"]) == expected.tobytes(), name


def test_the_file_is_the_official_writers(tmp_path):
    """For the same tensors and metadata the whole file is byte-identical to the official writer's."""
    path = tmp_path / "model.safetensors"
    arrays = {name: np.asarray(scheme(shape, dtype=DTYPES[code], seed=0, name=name))
              for name, (scheme, shape, code) in CASES.items()}

    write(lay_out(str(path), rows(), {"format": "pt"}), seed=0)

    assert path.read_bytes() == save(arrays, {"format": "pt"})


def no_thread_is_left():
    return not [thread for thread in threading.enumerate() if thread.name.startswith("fanin-checkpoint")]


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
@pytest.mark.parametrize("after", range(5))
def test_an_interrupted_write_leaves_nothing(tmp_path, monkeypatch, error, after):
    """Neither a final name nor a temporary one appears, an older file stays as it was, and no thread goes on."""
    monkeypatch.setattr(pieces, "BUFFER", 512)
    older = tmp_path / "old.safetensors"
    older.write_bytes(b"old")
    for path in (older, tmp_path / "new.safetensors"):
        seen = []

        def stop(nbytes, seen=seen):
            seen.append(nbytes)
            if len(seen) > after:
                raise error

        with pytest.raises(error):
            write(lay_out(str(path), rows(), {}), seed=0, progress=stop)

        assert len(seen) == after + 1 and no_thread_is_left()
    assert os.listdir(tmp_path) == ["old.safetensors"]
    assert older.read_bytes() == b"old"


def test_an_error_of_the_disk_in_the_writing_thread_is_raised(tmp_path, monkeypatch):
    """The system's own refusal, in the middle of a file: one error that names the file; nothing of it is left."""
    monkeypatch.setattr(pieces, "BUFFER", 256)
    path = str(tmp_path / "model.safetensors")
    file = lay_out(path, rows(), {})
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill_up(nbytes):  # the file was reserved whole: from now on this process may not write beyond here
        resource.setrlimit(resource.RLIMIT_FSIZE, (1024, limits[1]))

    try:
        with pytest.raises(OSError, match="File too large") as caught:
            write(file, seed=0, progress=fill_up)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert caught.value.filename == path and caught.value.errno == errno.EFBIG
    assert file.nbytes > 4096
    assert os.listdir(tmp_path) == [] and no_thread_is_left()


def test_a_file_that_cannot_be_reserved_is_refused_at_once(tmp_path):
    """Where the disk, or a quota, has no room for the whole file, not a byte is drawn."""
    file, seen = lay_out(str(tmp_path / "model.safetensors"), rows(), {}), []
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1024, limits[1]))
    try:
        with pytest.raises(OSError, match="File too large"):
            write(file, seed=0, progress=seen.append)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)

    assert (os.listdir(tmp_path), seen) == ([], [])


def test_small_tensors_share_a_write(tmp_path, monkeypatch):
    """Ten thousand tensors of 16 bytes take one call, not ten thousand."""
    scheme, calls, real = Normal(), [], staging._write_at
    monkeypatch.setattr(staging, "_write_at", lambda *arguments: calls.append(real(*arguments)) or calls[-1])
    small = [row(f"w.{i}", scheme, (4,), "F32") for i in range(10_000)]
    file = lay_out(str(tmp_path / "model.safetensors"), small, {})

    write(file, seed=3)

    assert calls == [file.nbytes] and is_written(file)
    loaded = dict(deserialize((tmp_path / "model.safetensors").read_bytes()))
    assert all(bytes(loaded[f"w.{i}"]["data"]) == scheme((4,), seed=3, name=f"w.{i}").tobytes()
               for i in (0, 1, 4711, 9999))


def test_the_permissions_are_those_of_any_new_file(tmp_path):
    """A temporary file's own are not kept."""
    plain = tmp_path / "plain"
    plain.touch()

    write(lay_out(str(tmp_path / "model"), rows(), {}), seed=0)

    assert stat.S_IMODE((tmp_path / "model").stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_a_file_is_written_when_header_and_size_say_so(tmp_path):
    """Missing, cut off, padded, with other metadata: none of them counts as the file."""
    path = tmp_path / "model"
    file = lay_out(str(path), rows(), {"fanin.seed": "0"})
    assert not is_written(file)
    write(file, seed=0)
    data = path.read_bytes()

    assert is_written(file)
    for other in (data[:-1], data + b"0", data[:len(file.header)], b"", data.replace(b'seed":"0', b'seed":"1')):
        path.write_bytes(other)
        assert not is_written(file)


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
