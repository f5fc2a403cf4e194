"""`fanin.checkpoint.init` as a function: what it takes for a model, for sizes and shards, and what it refuses."""

import json
import os

import numpy as np
import pytest
from safetensors import safe_open

from fanin import FaninError, Normal
from fanin.checkpoint import Written, init
from fanin.rules import Layer, Parameter, Rules
from uncompilable import Uncompilable

MODEL = [Parameter("b.weight", (6, 4), np.dtype("float32"), Layer(("Linear",), "oi*")),
         Parameter("a.bias", (6,), "bfloat16"), Parameter("ids", (5,), "int64")]
RULES = {"ids": "arange", "*": "ones"}


def test_a_list_of_parameters_is_a_model(tmp_path):
    """It gives the file that the same table gives, byte for byte."""
    table = {"b.weight": {"shape": [6, 4], "dtype": "F32", "layer": {"types": ["Linear"], "layout": "oi*"}},
             "a.bias": {"shape": [6], "dtype": "BF16"}, "ids": {"shape": [5], "dtype": "I64"}}
    (tmp_path / "model.json").write_text(json.dumps(table))

    (written,) = init(MODEL, tmp_path / "list", RULES, seed=5)
    init(str(tmp_path / "model.json"), tmp_path / "table", RULES, seed=5)

    assert written == Written(str(tmp_path / "list"), 3, 35, 24 * 4 + 6 * 2 + 5 * 8, False)
    assert (tmp_path / "list").read_bytes() == (tmp_path / "table").read_bytes()


@pytest.mark.parametrize("rules", [{"*": Normal(std=0.5)}, Normal(std=0.5), Rules({"*": Normal(std=0.5)}),
                                   [("*", Normal(std=0.5))], [{"match": "*", "init": {"name": "normal", "std": 0.5}}]])
def test_rules_are_what_rules_of_takes(tmp_path, rules):
    """However they are given, the values are those of the scheme, the seed and the name."""
    init(MODEL[:1], tmp_path / "out", rules, seed=5)

    with safe_open(tmp_path / "out", "np") as file:
        assert (file.get_tensor("b.weight") == Normal(std=0.5)((6, 4), seed=5, name="b.weight")).all()


@pytest.mark.parametrize("one", [{"max_shard_size": 100}, {"max_shard_size": "100B"}])
@pytest.mark.parametrize("dtype", ["float64", "F64", "torch.float64", np.dtype("float64"), np.float64])
def test_sizes_and_dtypes_have_several_forms(tmp_path, one, dtype):
    """Numbers and texts, names and dtypes."""
    written = init(MODEL, tmp_path / "out", RULES, dtype=dtype, **one)

    assert [(os.path.basename(file.path), file.tensors, file.nbytes) for file in written] == [
        ("model-00001-of-00002.safetensors", 1, 192), ("model-00002-of-00002.safetensors", 2, 88)]


def test_a_shard_has_two_forms(tmp_path):
    """(i, n) and "i/n"."""
    paths = [init(MODEL, tmp_path / "out", RULES, shard=shard)[0].path for shard in ((1, 3), "2/3")]

    assert [os.path.basename(path) for path in paths] == [f"model-0000{i}-of-00003.safetensors" for i in (1, 2)]


@pytest.mark.parametrize("options", [{}, {"max_shard_size": 100}])
def test_a_sampler_that_does_not_compile_is_found_before_the_first_file(tmp_path, options):
    """Nothing is written, though the tensor that the sampler is for comes last, and no folder is made."""
    model = [Parameter("a.weight", (6, 4), "float32"), Parameter("b.weight", (6, 4), "float32")]

    with pytest.raises(FaninError, match="text_of"):
        init(model, tmp_path / "out" / "", {"b.*": Uncompilable(), "*": Normal()}, **options)
    assert list(tmp_path.iterdir()) == []


REFUSED = [
    ({"seed": -1}, "`seed` must be in"), ({"seed": None}, "`seed` must be"), ({"layout": "tf"}, "`layout` must be"),
    ({"dtype": "int8"}, "`dtype` must be one of F64"), ({"max_shard_size": 0}, "`max_shard_size` must be an int >= 1"),
    ({"max_shard_size": 1.5}, "`max_shard_size` must be an int >= 1"),
    ({"max_shard_size": "1XB"}, "must look like 5GB"),
    ({"shard": (3, 2)}, "1 <= i <= n"), ({"shard": (1, True)}, "two ints"), ({"shard": 1}, "two ints"),
    ({"shard": (1, 4)}, "at most as many files as there are tensors, 3"),
    ({"shard": (1, 2), "max_shard_size": 100}, "give one of them"),
    ({"rules": {"b.*": "ones"}}, "add one for a.bias, ids"), ({"rules": "nowhere"}, "nowhere"),
    ({"rules": {"ids": "keep", "*": "ones"}}, "'ids' must get values"),
    ({"spec": 3}, "`spec` must be a path, a torch module or a list of Parameter"),
    ({"spec": []}, "at least one tensor"),
    ({"spec": [*MODEL, MODEL[0]]}, "'b.weight' twice"), ({"spec": MODEL[0]}, "`spec` must be a path"),
    ({"spec": [Parameter("w", (-1,), "float32")]}, "negative"),
    ({"spec": [Parameter("w", (2,), "float31")]}, "`dtype` must be"),
]


@pytest.mark.parametrize(("change", "rule"), REFUSED)
def test_what_is_wrong_is_said_before_anything_is_written(tmp_path, change, rule):
    """One line, one of fanin's errors, and no file."""
    arguments = {"spec": MODEL, "output": tmp_path / "out", "rules": RULES} | change

    with pytest.raises(FaninError, match=rule) as error:
        init(**arguments)

    assert "\n" not in str(error.value) and os.listdir(tmp_path) == []
