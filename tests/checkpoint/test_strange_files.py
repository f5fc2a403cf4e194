"""Files that nobody writes by hand: deep, huge, long. Each is refused in one line that can be read."""

import json
import os

import pytest

from fanin import FaninError, Rules
from fanin.checkpoint import init, read_spec, verify
from fanin.cli import main
from fanin.rules import Parameter

DEEP = "[" * 900 + "]" * 900
DEEP_TABLE = '{"a": ' * 900 + "1" + "}" * 900
HUGE = "1" + "0" * 5000  # more digits than Python reads
LARGE = "1" + "0" * 4000  # as many as it reads, more than a float reaches
MANY = json.dumps({f"key{number}": number for number in range(100_000)})[1:-1]
LONG = "x" * 100_000

SPECS = {
    "deep": f'{{"w": {DEEP}}}', "deep table": f'{{"w": {DEEP_TABLE}}}',
    "deep shape": f'{{"w": {{"shape": {DEEP}, "dtype": "F32"}}}}',
    **{f"{kind} {place}": text.replace("NUMBER", number) for kind, number in (("huge", HUGE), ("large", LARGE))
       for place, text in {
           "shape": '{"w": {"shape": [NUMBER], "dtype": "F32"}}',
           "fan": '{"w": {"shape": [4, 4], "dtype": "F32", "layer": {"layout": "oi", "fan_in": NUMBER}}}',
           "offset": '{"w": {"shape": [4, 4], "dtype": "F32", "data_offsets": [0, NUMBER]}}'}.items()},
    "keys": f"{{{MANY}}}", "keys of a tensor": f'{{"w": {{{MANY}}}}}',
    "more keys of a tensor": f'{{"w": {{"shape": [4, 4], "dtype": "F32", {MANY}}}}}',
    "keys of a layer": f'{{"w": {{"shape": [4, 4], "dtype": "F32", "layer": {{{MANY}}}}}}}',
    "metadata": f'{{"__metadata__": {{{MANY}}}}}', "a key twice": f'{{{MANY}, "key99999": 1}}',
    "dtype": f'{{"w": {{"shape": [4, 4], "dtype": "{LONG}"}}}}', "name": f'{{"{LONG}": {{"shape": 1}}}}',
}

INIT = '{"rule": [{"match": "*", "init": VALUE}]}'
RULES = {
    "deep": INIT.replace("VALUE", DEEP), "deep table": INIT.replace("VALUE", DEEP_TABLE),
    **{f"{kind} {place}": text.replace("NUMBER", number) for kind, number in (("huge", HUGE), ("large", LARGE))
       for place, text in {
           "std": INIT.replace("VALUE", '{"name": "normal", "std": NUMBER}'),
           "rank": '{"rule": [{"match": "*", "init": "ones", "rank": NUMBER}]}',
           "variable": '{"variables": {"a": NUMBER}, "rule": [{"match": "*", "init": "ones"}]}',
           "version": '{"version": NUMBER, "rule": [{"match": "*", "init": "ones"}]}'}.items()},
    "keys": f"{{{MANY}}}", "more keys": f'{{"rule": [{{"match": "*", "init": "ones"}}], {MANY}}}',
    "keys of a rule": f'{{"rule": [{{{MANY}}}]}}', "keys of a scheme": INIT.replace("VALUE", f"{{{MANY}}}"),
    "parameters": INIT.replace("VALUE", f'{{"name": "normal", {MANY}}}'),
    "config": INIT.replace("VALUE", f'{{"scheme": "normal", "version": 1, {MANY}}}'),
    "a long expression": INIT.replace("VALUE", f'{{"name": "normal", "std": "={"+".join(["1"] * 20_000)}"}}'),
    "a deep expression": INIT.replace("VALUE", f'{{"name": "normal", "std": "={"(" * 900}1{")" * 900}"}}'),
}
TOML = {
    "deep": f"[[rule]]\nmatch = '*'\ninit = {DEEP}", "dotted": f"a{'.b' * 900} = 1",
    "huge": f"[[rule]]\nmatch = '*'\ninit = {{name = 'normal', std = {HUGE}}}",
    "hexadecimal": f"[[rule]]\nmatch = '*'\ninit = {{name = 'normal', std = 0x{HUGE}}}",
    "hexadecimal match": f"[[rule]]\nmatch = 0x{HUGE}\ninit = 'ones'",
}


def assert_readable(message):
    """One line, no longer than a paragraph, and nothing of Python's own."""
    assert len(message) < 1600 and "\n" not in message.removesuffix("\n")
    assert "Traceback" not in message and "set_int_max_str_digits" not in message


@pytest.mark.parametrize("text", SPECS.values(), ids=SPECS.keys())
def test_specs(tmp_path, text):
    """As a JSON table, and as the header of a safetensors file."""
    (tmp_path / "table.json").write_text(text)
    (tmp_path / "header").write_bytes(len(text).to_bytes(8, "little") + text.encode())

    for name in ("table.json", "header"):
        with pytest.raises(FaninError) as caught:
            read_spec(tmp_path / name)
        assert str(caught.value).startswith(f"{tmp_path / name}: ")
        assert_readable(str(caught.value))


@pytest.mark.parametrize(("name", "text"), [*(("rules.json", text) for text in RULES.values()),
                                            *(("rules.toml", text) for text in TOML.values())],
                         ids=[*RULES, *(f"toml {name}" for name in TOML)])
def test_rules(tmp_path, name, text):
    """As JSON and as TOML."""
    (tmp_path / name).write_text(text)

    with pytest.raises(FaninError) as caught:
        Rules.read(tmp_path / name)

    assert str(caught.value).startswith(f"{tmp_path / name}: ")
    assert_readable(str(caught.value))


@pytest.mark.parametrize("text", [DEEP, DEEP_TABLE, HUGE, f"[{LARGE}]", f"{{{MANY}}}"],
                         ids=["deep", "deep table", "huge", "large", "keys"])
@pytest.mark.parametrize("key", ["rules", "options", "model", "layers"])
def test_metadata(tmp_path, key, text):
    """What fanin has noted in a file, changed by somebody."""
    path = tmp_path / "model.safetensors"
    init([Parameter("w", (2,), "float32")], path, {"*": "ones"}, shard=None)
    data = path.read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    table = json.loads(data[8:start])
    table["__metadata__"][f"fanin.{key}"] = text
    header = json.dumps(table).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + data[start:])

    if key == "options" and text.startswith("{") and text != DEEP_TABLE:
        assert verify(path)[0].ok  # a newer fanin may note more
        return
    with pytest.raises(FaninError) as caught:
        verify(path)

    assert str(caught.value).startswith(f"{path}: ")
    assert_readable(str(caught.value))


@pytest.mark.parametrize("arguments", [
    ("init", "deep.json", "--rules", "torch", "-o", "out"), ("init", "ok.json", "--rules", "keys.json", "-o", "out"),
    ("init", "ok.json", "--rules", "huge.toml", "-o", "out"), ("verify", "deep.json"), ("spec", "deep.json"),
    ("show", LONG), ("show", "normal", f"{LONG}=1"), ("show", "normal", f"std={LARGE}"),
    ("show", "normal", f"std={HUGE}"), ("show", "normal", f"std={DEEP}"),
])
def test_the_command_line_fails_in_one_line(tmp_path, monkeypatch, capsys, arguments):
    """Exit status 1, one line on standard error, nothing on standard output, no file."""
    monkeypatch.chdir(tmp_path)
    files = {"ok.json": '{"w": {"shape": [4, 4], "dtype": "F32"}}', "deep.json": SPECS["deep"],
             "keys.json": RULES["config"], "huge.toml": TOML["hexadecimal"]}
    for name, text in files.items():
        (tmp_path / name).write_text(text)

    status = main(list(arguments))

    out, err = capsys.readouterr()
    assert (status, out) == (1, "") and err.startswith("fanin: error: ") and err.endswith("\n")
    assert_readable(err)
    assert sorted(os.listdir(tmp_path)) == sorted(files)


@pytest.mark.parametrize("arguments", [
    ("init", "ok.json", "--rules", "torch", "-o", "out", "--seed", HUGE),
    ("init", "ok.json", "--rules", "torch", "-o", "out", "--max-shard-size", HUGE),
    ("init", "ok.json", "--rules", "torch", "-o", "out", "--shard", f"1/{HUGE}"),
    ("show", "normal", "--shape", HUGE), (LONG,),
])
def test_wrong_usage_is_one_line_too(capsys, arguments):
    """Exit status 2: options are refused before any file is looked for."""
    with pytest.raises(SystemExit) as end:
        main(list(arguments))

    out, err = capsys.readouterr()
    assert (end.value.code, out) == (2, "") and err.startswith("fanin")
    assert_readable(err)


def nested(value, times=900):
    for _ in range(times):
        value = [value]
    return value


W = Parameter("w", (2,), "float32")


@pytest.mark.parametrize("change", [
    {"seed": 10**5000}, {"shard": (1, 10**5000)}, {"shard": (10**5000,)}, {"shard": 10**5000},
    {"max_shard_size": -10**5000}, {"dtype": 10**5000}, {"layout": 10**5000}, {"spec": 10**5000},
    {"spec": [10**5000]}, {"spec": [W._replace(shape=(10**5000,))]}, {"spec": nested(W)}, {"rules": 10**5000},
    {"rules": {"*": 10**5000}}, {"rules": {"*": {"name": "normal", "std": 10**5000}}}, {"rules": {"*": nested(1)}},
    {"rules": [{"match": 10**5000, "init": "ones"}]}, {"rules": [{"match": "*", "init": "ones", "rank": 10**5000}]},
    {"rules": {"rule": [{"match": "*", "init": "ones"}], "variables": {"a": 10**400}}},
    {"rules": {"rule": [{"match": "*", "init": "ones"}], "version": 10**5000}},
    {"rules": {"*": {"name": "normal", **{f"key{number}": 1 for number in range(100_000)}}}},
], ids=lambda change: next(iter(change)))
def test_arguments_from_python(tmp_path, monkeypatch, change):
    """The same for values that no file holds: integers that Python does not print, and nesting that it can't walk."""
    monkeypatch.chdir(tmp_path)

    with pytest.raises(FaninError) as caught:
        init(**{"spec": [W], "output": "out", "rules": {"*": "ones"}} | change)

    assert_readable(str(caught.value))
    assert os.listdir() == []
