"""Files, folders and state dicts: the same tensors give the same audit, in constant memory; others are refused."""

import json
import subprocess
import sys

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

import fanin
from fanin import FaninError
from fanin._audit.moments import Gather


def tensors():
    rng = np.random.Generator(np.random.PCG64(0))
    return {"b.weight": (0.02 * rng.standard_normal((128, 64))).astype(np.float32),
            "a.bias": np.zeros(64, np.float32), "half": rng.uniform(-1, 1, (64, 64)).astype(np.float16),
            "brain": rng.standard_normal(5000).astype(ml_dtypes.bfloat16), "ids": np.arange(32).reshape(1, 32)}


def comparable(result):
    return sorted(result.to_dicts(), key=lambda row: row["name"])


def test_file_folder_index_and_state_dict_agree(tmp_path):
    """However the tensors come, the audit is the same."""
    wanted = comparable(fanin.audit(tensors()))
    save_file(tensors(), tmp_path / "model.safetensors")

    assert comparable(fanin.audit(tmp_path / "model.safetensors")) == wanted
    assert comparable(fanin.audit(str(tmp_path))) == wanted

    parts = tmp_path / "parts"
    parts.mkdir()
    names = sorted(tensors())
    files = {name: f"model-0000{1 + number % 2}-of-00002.safetensors" for number, name in enumerate(names)}
    for file in set(files.values()):
        save_file({name: tensors()[name] for name in names if files[name] == file}, parts / file)
    (parts / "model.safetensors.index.json").write_text(json.dumps({"weight_map": files}))
    assert comparable(fanin.audit(parts)) == wanted
    assert comparable(fanin.audit(parts / "model.safetensors.index.json")) == wanted


def test_nested_variables_get_names_with_dots():
    """flax's variables are mappings inside mappings."""
    (entry,) = fanin.audit({"params": {"Dense_0": {"bias": np.zeros(4)}}})

    assert entry.name == "params.Dense_0.bias"


def test_statistics_are_those_of_numpy():
    """Mean, std, extremes, kurtosis and shares, of values far from zero too, and in pieces of any size."""
    rng = np.random.Generator(np.random.PCG64(1))
    values = 100 + rng.exponential(size=10_001)
    gather = Gather(np.dtype("float64"))
    for piece in np.array_split(values, 7):
        gather.add(piece)
    found = gather.result()

    centred = values - values.mean()
    assert found.mean == pytest.approx(values.mean(), rel=1e-12)
    assert found.std == pytest.approx(values.std(), rel=1e-9)
    assert found.skewness == pytest.approx((centred**3).mean() / values.std() ** 3, rel=1e-6)
    assert found.kurtosis == pytest.approx((centred**4).mean() / values.std() ** 4 - 3, rel=1e-6)
    assert (found.low, found.high, found.size) == (values.min(), values.max(), 10_001)
    assert found.counts.sum() == 10_001
    assert (found.lower < found.upper).all() and (found.upper[:-1] <= found.lower[1:]).all()
    inside = [((values >= low) & (values < high)).sum() for low, high in zip(found.lower, found.upper)]
    assert inside == found.counts.tolist()


@pytest.mark.parametrize(("source", "words"), [
    (3, ["`source`", "state_dict()", "3"]),
    ({3.5: np.zeros(2)}, ["names", "3.5"]),
    ("missing.safetensors", ["missing.safetensors"]),
    ("model.pt", ["model.pt", "fanin.audit(state_dict)"]),
])
def test_refused_sources(source, words):
    """What can't be audited is refused in one line that says what can."""
    with pytest.raises((FaninError, OSError)) as raised:
        fanin.audit(source)

    for word in words:
        assert word in str(raised.value)


def test_a_file_that_is_cut_off_is_refused(tmp_path):
    """A download that stopped is named before anything is read."""
    path = tmp_path / "model.safetensors"
    save_file(tensors(), path)
    path.write_bytes(path.read_bytes()[:-100])

    with pytest.raises(FaninError, match="cut off"):
        fanin.audit(path)


def test_what_is_not_an_array_is_listed_as_not_read():
    """Nothing is left out silently: an entry that holds no numbers has one that says so."""
    entry = fanin.audit({"extra_state": np.array([None, "x"], object)})[0]

    assert entry.law.name == "unread" and "object" in entry.law.note


MEASURE = """
import resource, sys
import fanin
fanin.audit(sys.argv[1])
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
fanin.audit(sys.argv[2])
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
"""


def test_memory_does_not_grow_with_the_tensor(tmp_path):
    """A tensor of 72 MB takes no more memory than one of 8 MB, but for what its columns and rows take."""
    rng = np.random.Generator(np.random.PCG64(0))
    for name, rows in (("small", 2048), ("large", 18432)):
        save_file({"w": rng.standard_normal((rows, 1024), np.float32)}, tmp_path / f"{name}.safetensors")
    paths = [str(tmp_path / f"{name}.safetensors") for name in ("small", "large")]
    grown = subprocess.run([sys.executable, "-c", MEASURE, *paths], capture_output=True, text=True, check=True).stdout

    assert int(grown) < 30_000  # KiB


def test_import_and_use_load_nothing_heavy(tmp_path):
    """An audit takes numpy: no numba, scipy or torch; matplotlib only for pictures, rich only for text."""
    code = ("import sys, numpy, fanin; fanin.audit({'w': numpy.zeros(3)}).to_dicts(); "
            "print(*{name.split('.')[0] for name in sys.modules})")
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert {"scipy", "torch", "numba", "matplotlib", "rich"} & set(loaded) == set()
