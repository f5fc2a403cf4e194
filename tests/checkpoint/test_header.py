"""The safetensors header against the official package, and every way in which a model's description can be wrong."""

import json

import numpy as np
import pytest
from safetensors import deserialize, safe_open
from safetensors.numpy import save

from fanin import FaninError
from fanin.checkpoint import Spec, read_spec, verify
from fanin.checkpoint._format import (
    DTYPES,
    bytes_of,
    code_of,
    convert,
    dtype_of,
    encode,
    file_position,
    floating_dtype,
    parse_dtype,
)
from fanin.rules import Parameter


def arrays():
    """One tensor of every dtype, plus names that JSON must escape and shapes without axes or elements."""
    made = {f"z.{name}": np.zeros((2, 3), _numpy(name)) for name in DTYPES.values()}
    made['é "quoted" \\ / \x1f \x7f \u2028'] = np.array(1.5, np.float32)
    made["empty"] = np.zeros((0, 3), np.float32)
    made["a"] = np.zeros(5, np.int8)
    return made


def _numpy(name):
    import ml_dtypes

    return ml_dtypes.bfloat16 if name == "bfloat16" else name


def described(array):
    return {"shape": list(array.shape), "dtype": code_of(array.dtype)}


def tensors_of(made):
    return [Parameter(name, array.shape, array.dtype) for name, array in made.items()]


def in_file_order(tensors):
    return sorted(tensors, key=file_position)


def write_json(path, table):
    path.write_text(json.dumps(table))
    return path


def safetensors_bytes(table):
    text = json.dumps(table).encode()
    return len(text).to_bytes(8, "little") + text


@pytest.mark.parametrize("metadata", [{}, {"format": "pt"}, {"ké\n": '"'}])
def test_header_equals_the_official_writers(metadata):
    """For the same tensors the bytes before the data are those of the official writer, whatever order they came in."""
    made = arrays()
    official = save(made, metadata or None)
    infos = tensors_of(dict(reversed(made.items())))

    header = encode(in_file_order(infos), metadata)

    assert official[:len(header)] == header
    assert len(header) % 8 == 0
    assert len(official) == len(header) + sum(map(bytes_of, infos))


def test_the_official_reader_takes_the_header():
    """Header and bytes in its order are a file, with several metadata keys too."""
    made = arrays()
    infos = in_file_order(tensors_of(made))
    header = encode(infos, {"b": "2", "a": "1"})

    loaded = dict(deserialize(header + b"".join(made[info.name].tobytes() for info in infos)))

    assert {name: bytes(entry["data"]) for name, entry in loaded.items()} == {n: a.tobytes() for n, a in made.items()}
    assert {name: tuple(entry["shape"]) for name, entry in loaded.items()} == {n: a.shape for n, a in made.items()}
    assert header[8:].startswith(b'{"__metadata__":{"a":"1","b":"2"},')


def test_all_three_forms_of_a_spec_say_the_same(tmp_path):
    """A safetensors file, its header alone, and a JSON table give the same tensors, each in its own order."""
    made = arrays()
    data = save(made, {"format": "np"})
    end = 8 + int.from_bytes(data[:8], "little")
    whole, prefix, more = tmp_path / "whole", tmp_path / "prefix", tmp_path / "more"
    whole.write_bytes(data)
    prefix.write_bytes(data[:end])
    more.write_bytes(data[:end + 3])
    table = write_json(tmp_path / "table.json", {name: described(array) for name, array in made.items()})

    spec = read_spec(whole)

    assert read_spec(prefix) == read_spec(more) == spec
    assert spec.metadata == {"format": "np"}
    assert spec.tensors == in_file_order(read_spec(table).tensors)
    assert [info.name for info in read_spec(table).tensors] == list(made)


def test_a_header_as_json_is_a_table(tmp_path):
    """The JSON of a header, metadata and offsets included, is a JSON table too; so is a text with a byte order mark."""
    entry = {"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}, "__metadata__": {"format": "pt"}}
    plain = write_json(tmp_path / "plain.json", entry)
    marked = tmp_path / "marked.json"
    marked.write_bytes(b"\xef\xbb\xbf" + plain.read_bytes())

    assert read_spec(plain) == read_spec(marked) == Spec([Parameter("w", (2,), np.dtype("float32"))], {"format": "pt"})


def test_metadata_that_is_null_is_none(tmp_path):
    """As for the official reader: the tensors are there, and no metadata."""
    text = b'{"__metadata__":null,"w":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}'
    path = tmp_path / "model.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text + np.ones(2, np.float32).tobytes())
    (tmp_path / "table.json").write_bytes(text)

    with safe_open(path, "np") as official:
        assert (official.metadata(), official.keys()) == (None, ["w"])
    expected = Spec([Parameter("w", (2,), np.dtype("float32"))], {})
    assert read_spec(path) == read_spec(tmp_path / "table.json") == expected
    assert verify(path, {"*": "ones"}, seed=0)[0].ok


@pytest.mark.parametrize(("text", "code"), [
    ("F32", "F32"), ("float32", "F32"), ("bf16", "BF16"), ("bfloat16", "BF16"), ("torch.float16", "F16"),
    ("F64", "F64"),
])
def test_dtypes_have_both_spellings(text, code):
    """A dtype may be given as safetensors spells it or as numpy and torch do."""
    assert code_of(parse_dtype(text)) == code_of(floating_dtype(text)) == code


@pytest.mark.parametrize(("text", "code"), [("torch.float8_e4m3fn", "F8_E4M3"), ("float8_e5m2", "F8_E5M2"),
                                            ("F8_E8M0", "F8_E8M0"), ("torch.int64", "I64"), ("complex64", "C64")])
def test_dtypes_that_are_only_read_have_codes_too(text, code):
    """A model may have tensors of types that `--dtype` does not take."""
    assert code_of(parse_dtype(text)) == code


@pytest.mark.parametrize("text", ["I64", "bool", "C64", "complex64", "F8_E4M3", "float31", ""])
def test_only_real_floating_types_can_be_asked_for(text):
    """`--dtype` takes what random values are drawn in."""
    with pytest.raises(FaninError, match="`dtype` must be one of"):
        floating_dtype(text)


def test_convert_changes_real_floating_tensors_only():
    """Integers, bools and complex tensors keep their dtype; narrow formats become ordinary ones."""
    tensors = [Parameter(code, (2,), dtype_of(code)) for code in [*DTYPES, "F4"]]

    converted = {each.name: code_of(each.dtype) for each in convert(tensors, dtype_of("BF16"))}

    assert converted == {info.name: "BF16" if info.name.startswith(("F", "BF")) else info.name for info in tensors}
    assert convert(tensors[:-1], None) == tensors[:-1]
    with pytest.raises(FaninError, match="'F4' has the dtype F4.*--dtype bfloat16"):
        convert(tensors, None)


BAD_TABLES = [
    ("[]", "must be a table"),
    ("{}", "at least one tensor"),
    ("{", "not valid JSON"),
    ('{"w": {"shape": [1], "dtype": "F32"}, "w": {"shape": [2], "dtype": "F32"}}', "'w' twice"),
    ('{"w": {"shape": [1], "dtype": "F32", "shape": [2]}}', "'shape' twice"),
    ('{"w": [1, 2]}', "'w': must be a table"),
    ('{"w": {"dtype": "F32"}}', "`shape`"),
    ('{"w": {"shape": [1]}}', "`dtype`"),
    ('{"w": {"shape": [1], "dtype": "F32", "stride": [1]}}', "'stride'"),
    ('{"w": {"shape": 3, "dtype": "F32"}}', "`shape` must be a list"),
    ('{"w": {"shape": [-1], "dtype": "F32"}}', "negative"),
    ('{"w": {"shape": [1.0], "dtype": "F32"}}', "ints only"),
    ('{"w": {"shape": [true], "dtype": "F32"}}', "ints only"),
    ('{"w": {"shape": ["1"], "dtype": "F32"}}', "ints only"),
    ('{"w": {"shape": [null], "dtype": "F32"}}', "ints only"),
    ('{"w": {"shape": [4294967296, 4294967296], "dtype": "F32"}}', "2\\*\\*61"),
    ('{"w": {"shape": [1], "dtype": "F33"}}', "`dtype` must be one of"),
    ('{"w": {"shape": [1], "dtype": 32}}', "`dtype` must be a string"),
    ('{"w": {"shape": [NaN], "dtype": "F32"}}', "ints only .got nan"),
    ('{"w": {"shape": [2], "dtype": "F32", "data_offsets": [0, 7]}}', "`data_offsets` must span"),
    ('{"w": {"shape": [2], "dtype": "F32", "data_offsets": [0]}}', "`data_offsets` must be two"),
    ('{"__metadata__": {"a": 1}, "w": {"shape": [2], "dtype": "F32"}}', "`__metadata__`"),
    ('{"\\ud800": {"shape": [2], "dtype": "F32"}}', "Unicode"),
    ("[" * 100_000, "nested too deeply"),
    ("import numpy", "no safetensors header"),
    ("", "not valid JSON"),
]


@pytest.mark.parametrize(("text", "rule"), BAD_TABLES)
def test_a_bad_table_is_refused_in_one_line(tmp_path, text, rule):
    """The message names the file and the rule that was broken."""
    path = tmp_path / "model.json"
    path.write_text(text)

    with pytest.raises(FaninError, match=rule) as caught:
        read_spec(path)

    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


W = {"w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}


@pytest.mark.parametrize(("data", "rule"), [
    (b"\x08\0\0", "8 bytes of length"),
    (safetensors_bytes(W)[:-5], "cut off"),
    ((10**9).to_bytes(8, "little") + b"{", "at most 100000000 bytes"),
    ((4).to_bytes(8, "little") + b"{{{{", "header is not valid JSON"),
    ((4).to_bytes(8, "little") + b"\xff\xff\xff\xff", "not UTF-8"),
    (safetensors_bytes({"w": {"dtype": "F32", "shape": [2]}}), "must have `data_offsets`"),
    (safetensors_bytes({"__metadata__": {}}), "at least one tensor"),
    (b"\x80\x04\x95\xff\xff\xff\xff\xff pickled", "not valid JSON"),
])
def test_a_damaged_file_is_refused_in_one_line(tmp_path, data, rule):
    """Whatever the bytes are, the answer names the file and what is wrong with it."""
    path = tmp_path / "model.safetensors"
    path.write_bytes(data)

    with pytest.raises(FaninError, match=rule) as caught:
        read_spec(path)

    assert str(caught.value).startswith(f"{path}: ")
