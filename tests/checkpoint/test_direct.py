"""Writing and reading past the page cache changes no byte, whatever the file system thinks of it."""

import os

import numpy as np
import pytest

from fanin.checkpoint import _direct as direct
from fanin.checkpoint import _pieces as pieces
from fanin.checkpoint import init, verify
from fanin.rules import Parameter

MODEL = [Parameter("a", (1000, 37), np.dtype("float32")), Parameter("b", (5,), np.dtype("float16")),
         Parameter("c", (3, 4096), np.dtype("float64")), Parameter("d", (2**20,), np.dtype("float32"))]
RULES = {"*": {"name": "normal", "std": 0.5}}


@pytest.fixture(params=["disk", "memory"])
def folder(request, tmp_path):
    """A folder on a disk, and one in memory, where there is no direct writing on many systems."""
    if request.param == "disk":
        yield tmp_path
        return
    shared = os.path.join("/dev/shm" if os.path.isdir("/dev/shm") else tmp_path, f"fanin-test-{os.getpid()}")
    os.mkdir(shared)
    yield shared
    for name in os.listdir(shared):
        os.unlink(os.path.join(shared, name))
    os.rmdir(shared)


@pytest.mark.parametrize("buffer", [4096, 65536, 8 * 2**20])
def test_direct_files_are_the_same_bytes(folder, monkeypatch, buffer):
    """Directly written and read or not, in buffers of any size, a file of any length is the same and verifies."""
    monkeypatch.setattr(pieces, "BUFFER", buffer)
    plain, through = os.path.join(folder, "plain"), os.path.join(folder, "direct")
    init(MODEL, plain, RULES, seed=3)

    monkeypatch.setattr(direct, "FROM", 0)
    init(MODEL, through, RULES, seed=3)

    assert os.path.getsize(through) % direct.ALIGNMENT
    with open(plain, "rb") as one, open(through, "rb") as other:
        assert one.read() == other.read()
    assert verify(through)[0].ok
    with open(through, "r+b") as file:
        file.seek(-1, os.SEEK_END)
        file.write(b"\x7f")
    (difference,) = verify(through)[0].differences
    assert (difference.name, difference.first) == ("b", (4,))  # the narrowest dtype comes last


def test_a_reader_gives_any_run_of_bytes(tmp_path, monkeypatch):
    """Runs that begin and end anywhere, the file's end among them; past it is an EOFError."""
    monkeypatch.setattr(direct, "FROM", 0)
    data = np.random.default_rng(0).integers(0, 256, 100_001, np.uint8)
    (tmp_path / "file").write_bytes(data.tobytes())
    with direct.Reader(tmp_path / "file", 50_000) as reader:
        for start, count in ((0, 50_000), (1, 4096), (4095, 2), (8192, 8192), (50_001, 50_000), (100_000, 1), (7, 0)):
            assert bytes(reader.read(start, count)) == data[start:start + count].tobytes()
        with pytest.raises(EOFError):
            reader.read(100_000, 2)
