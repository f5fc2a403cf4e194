"""JSON tables with layers: what they say, what they refuse, and that a model's table stands for the model."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import load_file

from fanin import Constant, FaninError, Registry, Rules, Sinusoidal, Uniform
from fanin.checkpoint import Spec, read_spec, write_table
from fanin.checkpoint._format import DTYPES, dtype_of
from fanin.checkpoint._spec.tables import table_text
from fanin.cli import main
from fanin.rules import Layer, Parameter

LAYERS = {
    "conv": ([16, 4, 3, 3], {"types": ["Conv2d", "_ConvNd"], "layout": "oi*", "groups": 2}, (36, 72)),
    "up": ([16, 4, 2, 2], {"types": ["ConvTranspose2d"], "layout": "io*", "groups": 4, "transposed": True}, (16, 16)),
    "attention": ([24, 8], {"layout": "oi*", "fan_in": 8, "fan_out": 8}, (8, 8)),
    "none": ([24, 8], {}, (8, 24)),
}


def write_json(path, table):
    path.write_text(json.dumps(table))
    return path


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_decides_the_fans(tmp_path, name):
    """A tensor is drawn with the fans that its entry's layer tells, which is what `fanin init` writes."""
    shape, layer, (fan_in, fan_out) = LAYERS[name]
    path = write_json(tmp_path / "model.json", {name: {"shape": shape, "dtype": "F32", "layer": layer}})

    rules = write_json(tmp_path / "rules.json", {"rule": [{"match": "*", "init": "glorot_normal"}]})
    assert main(["init", str(path), "--rules", str(rules), "-o", str(tmp_path / "out.safetensors")]) == 0

    expected = Registry.get("glorot_normal", fan_in=fan_in, fan_out=fan_out)(tuple(shape), seed=0, name=name)
    assert np.array_equal(load_file(tmp_path / "out.safetensors")[name], expected)


def test_rules_see_the_layers_types(tmp_path):
    """A rule for a type applies to a table's tensors of that type, and to no others."""
    path = write_json(tmp_path / "model.json", {
        "a": {"shape": [4, 4], "dtype": "F32", "layer": {"types": ["Gate", "Linear"]}},
        "b": {"shape": [4, 4], "dtype": "F32", "layer": {"types": ["Linear"]}},
        "c": {"shape": [4, 4], "dtype": "F32"},
    })
    rules = Rules([{"match": "*", "layer": "Gate", "init": "ones"}, {"match": "*", "layer": "Linear", "init": "zeros"},
                   {"match": "*", "init": "eye"}])

    assert [type(row.scheme).__name__ for row in rules.assign(read_spec(path).tensors)] == \
        ["Constant", "Constant", "Eye"]


@pytest.mark.parametrize(("layer", "rule"), [
    ("[]", "`layer` must be a table"),
    ("null", "`layer` must be a table"),
    ('{"type": ["Linear"]}', "'type'"),
    ('{"types": "Linear"}', "`types` of a layer"),
    ('{"types": [1]}', "`types` of a layer"),
    ('{"layout": "xy"}', "`layout`"),
    ('{"layout": "io", "groups": 0}', "`groups`"),
    ('{"layout": "io", "groups": 3}', "`groups` must divide"),
    ('{"layout": "oii"}', "`shape` must have 3 dimensions"),
    ('{"transposed": 1}', "`transposed`"),
    ('{"fan_in": -1}', "`fan_in`"),
    ('{"fan_in": "8"}', "`fan_in`"),
    ('{"padding_idx": 0.5}', "`padding_idx`"),
])
def test_a_wrong_layer_is_refused_in_one_line(tmp_path, layer, rule):
    """The message names the file, the tensor and the rule that was broken."""
    path = tmp_path / "model.json"
    path.write_text(f'{{"w": {{"shape": [4, 4], "dtype": "F32", "layer": {layer}}}}}')

    with pytest.raises(FaninError, match=rule) as caught:
        read_spec(path)

    assert str(caught.value).startswith(f"{path}: tensor 'w': ")
    assert "\n" not in str(caught.value)


def test_a_checkpoint_of_fanins_own_keeps_its_layers(tmp_path):
    """Initialized anew, with another seed or other rules, it is what the model itself would give."""
    table = {name: {"shape": shape, "dtype": "F32", "layer": layer} for name, (shape, layer, _) in LAYERS.items()}
    path = write_json(tmp_path / "model.json", table)
    rules = write_json(tmp_path / "rules.json", {"rule": [{"match": "*", "init": "he_normal"}]})
    for source, out, seed in [(path, "a", 1), (path, "b", 2), (tmp_path / "a", "c", 2)]:
        assert main(["init", str(source), "--rules", str(rules), "--seed", str(seed), "-o", str(tmp_path / out)]) == 0

    assert main(["init", str(path), "--rules", str(rules), "--max-shard-size", "2KB", "-o", str(tmp_path / "d")]) == 0
    expected = {info.name: info.layer if info.layer != Layer() else None for info in read_spec(path).tensors}
    for source in ("a", "d"):
        assert {info.name: info.layer for info in read_spec(tmp_path / source).tensors} == expected
    first, straight, again = (load_file(tmp_path / out) for out in "abc")
    for name in LAYERS:
        assert np.array_equal(straight[name], again[name]) and not np.array_equal(straight[name], first[name])


@pytest.mark.parametrize("layers", ["[]", "{", '{"w": {"types": 1}}', '{"w": []}', "[" * 10**5])
def test_noted_layers_that_are_damaged_are_refused_in_one_line(tmp_path, layers):
    """The message names the file and the key."""
    entry = {"__metadata__": {"fanin.layers": layers}, "w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}
    text = json.dumps(entry).encode()
    (tmp_path / "m.safetensors").write_bytes(len(text).to_bytes(8, "little") + text)

    with pytest.raises(FaninError, match=r"m\.safetensors: .*fanin\.layers") as caught:
        read_spec(tmp_path / "m.safetensors")

    assert "\n" not in str(caught.value)


def test_a_safetensors_header_has_no_layers(tmp_path):
    """What the format doesn't know is refused there."""
    entry = {"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], "layer": {}}}
    text = json.dumps(entry).encode()
    (tmp_path / "m.safetensors").write_bytes(len(text).to_bytes(8, "little") + text)

    with pytest.raises(FaninError, match="'layer'"):
        read_spec(tmp_path / "m.safetensors")


SHAPES = st.lists(st.integers(1, 9), min_size=3, max_size=5).map(tuple)
FANS = st.none() | st.integers(1, 99) | st.floats(0.5, 99)
LAYER = st.builds(Layer, st.lists(st.text("aB_.9é\"\\", min_size=1), max_size=3).map(tuple),
                  st.sampled_from([None, "oi*", "io*", "*io"]), st.just(1), st.booleans(), FANS, FANS,
                  st.none() | st.integers(-3, 3), st.sampled_from([None, Constant(1.0), Uniform(-0.5, 0.5)]),
                  st.sampled_from([None, Sinusoidal(halves=True), Constant([[0.1, 0.2]])]))
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=9).filter(lambda name: name != "__metadata__")


TENSORS = st.tuples(SHAPES, st.sampled_from([dtype_of(code) for code in DTYPES]), st.none() | LAYER)


@given(st.dictionaries(NAMES, TENSORS, min_size=1, max_size=5), st.dictionaries(NAMES, NAMES, max_size=2))
def test_a_table_is_read_back_as_it_was_written(tmp_path_factory, tensors, metadata):
    """Names, shapes, dtypes, layers and metadata of any model, in its order."""
    spec = Spec([Parameter(name, *entry) for name, entry in tensors.items()], metadata)
    path = tmp_path_factory.mktemp("table") / "model.json"

    write_table(spec, path)

    assert read_spec(path) == spec
    assert path.read_text("utf-8") == table_text(spec)
    assert list(path.parent.iterdir()) == [path]


def test_a_table_that_cannot_be_written_leaves_nothing(tmp_path):
    """The file appears whole or not at all, and what was there stays."""
    (tmp_path / "folder").mkdir()

    with pytest.raises(FaninError, match="is a folder"):
        write_table(Spec([Parameter("w", (2,), np.dtype("float32"))], {}), tmp_path / "folder")

    assert list(tmp_path.iterdir()) == [tmp_path / "folder"]
