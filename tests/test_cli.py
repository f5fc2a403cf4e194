"""The command line, in processes of its own where files are written, in this one where it only answers."""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file

import fanin
from fanin import Registry
from fanin.cli import main

MINILM = Path(__file__).parent.parent / "examples" / "minilm-l6.json"


def start(*args, **environment):
    return subprocess.Popen([sys.executable, "-m", "fanin", *map(str, args)], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True, env={**os.environ, **environment})


def run(*args, status=0, **environment):
    """Run `fanin` in a process of its own; its standard output. Nothing may come on standard error but an error."""
    process = start(*args, **environment)
    out, err = process.communicate(timeout=120)
    assert process.returncode == status, err
    assert err == "" if status == 0 else re.fullmatch(r"fanin.*\n", err)
    return out if status == 0 else err


def write(*args):
    """Run `fanin` in this process, where a process of its own would show nothing more."""
    assert main(list(map(str, args))) == 0


@pytest.fixture
def answer(capsys):
    """Runs `fanin` in this process: (status, standard output, standard error)."""
    def call(*args):
        try:
            status = main(list(map(str, args)))
        except SystemExit as end:
            status = end.code
        return (status, *capsys.readouterr())

    return call


@pytest.fixture
def model(tmp_path):
    """Writes a small model's JSON table; its path."""
    def write(**tensors):
        path = tmp_path / "model.json"
        table = {name: {"shape": shape, "dtype": dtype} for name, (shape, dtype) in tensors.items()}
        path.write_text(json.dumps(table))
        return path

    return write


SMALL = {"a.weight": ([6, 4], "F32"), "a.bias": ([6], "F32"), "norm.weight": ([4], "BF16"), "ids": ([5], "I64"),
         "b.weight": ([300, 4], "F16")}
RULES = """
[[rule]]
match = "*.bias"
init = "zeros"
[[rule]]
match = "norm.*"
init = "ones"
[[rule]]
match = "ids"
init = "arange"
[[rule]]
match = "*"
init = { name = "normal", std = 0.5 }
"""


@pytest.fixture
def rules(tmp_path):
    path = tmp_path / "rules.toml"
    path.write_text(RULES)
    return path


def test_one_thing_is_counted_as_one(answer, model, tmp_path, monkeypatch):
    """One tensor of one element: no command says "1 tensors", and "1 of 1 tensor differs", not "differ"."""
    monkeypatch.chdir(tmp_path)
    spec = model(w=([1], "F32"))
    Path("normal.toml").write_text('[[rule]]\nmatch = "*"\ninit = "normal"\n')
    Path("zeros.toml").write_text('[[rule]]\nmatch = "*"\ninit = "zeros"\n')
    Path("other").write_bytes(b"x")

    said = ["".join(answer(*command.split())[1:]) for command in (
        f"init {spec} --rules normal.toml -o w.safetensors", f"init {spec} --rules zeros.toml -o w.safetensors",
        f"init {spec} --rules zeros.toml -o other", f"init {spec} --rules normal.toml --dry-run",
        f"spec {spec} -o table.json", "verify w.safetensors", "verify w.safetensors --rules zeros.toml --seed 0",
        "audit w.safetensors --rules zeros.toml", f"init {spec} --rules normal -o two.safetensors")]

    counts = {found for text in said for found in re.findall(r"\b1 ([a-z]+)\b", text)} - {"of", "constant"}
    assert counts == {"tensor", "element", "byte"}, said
    assert "1 of 1 tensor differs" in said[6] and "1 of 1 element differs" in said[6]
    assert "1 of 1 tensor is not" in said[7] and "what w starts from" in said[8]


# -- the main job -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def minilm(tmp_path_factory):
    path = tmp_path_factory.mktemp("minilm") / "minilm.safetensors"
    run("init", MINILM, "--rules", "transformer", "-o", path)
    return path


def assert_std(values, std):
    """The root mean square lies within 6 standard errors of `std` (normal values, known mean 0).

    The mean square of n values has the relative error sqrt(2/n). 40 tensors at 6 sigma: a right file fails with
    probability 1e-7.
    """
    ratio = float(np.mean(np.square(values, dtype=np.float64))) / std**2

    assert abs(ratio - 1) < 6 * (2 / values.size) ** 0.5


def test_minilm_has_the_names_shapes_and_dtypes_of_its_table(minilm):
    """The official reader finds exactly the table's tensors."""
    table = json.loads(MINILM.read_text())
    codes = {"float32": "F32", "int64": "I64"}

    found = {name: {"shape": list(array.shape), "dtype": codes[array.dtype.name]}
             for name, array in load_file(minilm).items()}

    assert len(table) == 104
    assert found == table


def test_minilm_follows_its_rules(minilm):
    """Weights are N(0, 0.02^2), norms ones and zeros, biases zero, position ids count up; no two weights are equal."""
    seen = {}
    for name, array in load_file(minilm).items():
        if name.endswith("position_ids"):
            assert np.array_equal(array, np.arange(512)[None])
        elif name.endswith("LayerNorm.weight"):
            assert np.all(array == 1)
        elif name.endswith("bias"):
            assert not np.any(array)
        else:
            assert_std(array, 0.02)
            seen[array.tobytes()] = name
    assert len(seen) == 40

    with pytest.raises(AssertionError):  # the test has the power to see 1 % on every tensor of 720,000 values or more
        assert_std(load_file(minilm)["embeddings.word_embeddings.weight"] * np.float32(1.01), 0.02)


def test_minilm_values_are_the_librarys(minilm):
    """A tensor in the file is scheme(shape, seed, name), bit for bit."""
    name = "encoder.layer.3.output.dense.weight"

    expected = Registry.get("normal", std=0.02)((384, 1536), seed=0, name=name)

    assert np.array_equal(load_file(minilm)[name], expected)


def test_minilm_is_the_same_bytes_again_and_on_one_thread(minilm, tmp_path):
    """Two runs and a run with one thread give byte-identical files; another seed does not."""
    run("init", MINILM, "--rules", "transformer", "-o", tmp_path / "again")
    run("init", MINILM, "--rules", "transformer", "-o", tmp_path / "one", NUMBA_NUM_THREADS="1")
    run("init", MINILM, "--rules", "transformer", "-o", tmp_path / "seed", "--seed", "1")

    first = minilm.read_bytes()

    assert (tmp_path / "again").read_bytes() == first
    assert (tmp_path / "one").read_bytes() == first
    assert (tmp_path / "seed").read_bytes() != first


def test_minilm_from_its_own_file_and_from_its_header(minilm, tmp_path):
    """A safetensors file and the header alone describe the same model as the table."""
    end = 8 + int.from_bytes(minilm.read_bytes()[:8], "little")
    (tmp_path / "header").write_bytes(minilm.read_bytes()[:end])

    write("init", minilm, "--rules", "transformer", "-o", tmp_path / "a")
    write("init", tmp_path / "header", "--rules", "transformer", "-o", tmp_path / "b")

    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == minilm.read_bytes()


def test_metadata_holds_seed_rules_and_versions(minilm, tmp_path):
    """The file says how it was made; the rules in it, as a file, make it again."""
    with safe_open(minilm, "np") as file:
        metadata = file.metadata()
    rules = tmp_path / "rules.json"
    rules.write_text(metadata["fanin.rules"])

    write("init", MINILM, "--rules", rules, "-o", tmp_path / "again")

    assert metadata["format"] == "pt"
    assert (metadata["fanin.seed"], metadata["fanin.stream_version"]) == ("0", "1")
    assert metadata["fanin.version"] == fanin.__version__
    assert json.loads(metadata["fanin.options"]) == {"dtype": None, "layout": "torch"}
    assert (tmp_path / "again").read_bytes() == minilm.read_bytes()


def test_sharded_minilm_holds_the_same_tensors(minilm, tmp_path):
    """Files of at most 20 MB merge to the whole, and the index says where each tensor is."""
    write("init", MINILM, "--rules", "transformer", "-o", tmp_path / "parts", "--max-shard-size", "20MB")

    index = json.loads((tmp_path / "parts" / "model.safetensors.index.json").read_text())
    files = sorted(set(index["weight_map"].values()))
    parts = {file: load_file(tmp_path / "parts" / file) for file in files}
    merged = {name: array for part in parts.values() for name, array in part.items()}
    whole = load_file(minilm)

    assert sorted(os.listdir(tmp_path / "parts")) == [*files, "model.safetensors.index.json"]
    assert files == [f"model-{i:05d}-of-{len(files):05d}.safetensors" for i in range(1, len(files) + 1)]
    assert index["weight_map"] == {name: file for file, part in parts.items() for name in part}
    assert index["metadata"]["total_size"] == sum(array.nbytes for array in whole.values())
    assert merged.keys() == whole.keys() and all(np.array_equal(merged[name], whole[name]) for name in whole)
    for part in parts.values():
        assert sum(array.nbytes for array in part.values()) <= 20e6 or len(part) == 1


def test_parts_need_not_talk(minilm, tmp_path):
    """Each of n runs writes its own file and the same index; together they are the model."""
    indexes = set()
    for i in (1, 2, 3):
        out = tmp_path / str(i)
        write("init", MINILM, "--rules", "transformer", "-o", out, "--shard", f"{i}/3")
        indexes.add((out / "model.safetensors.index.json").read_bytes())
        assert sorted(os.listdir(out)) == [f"model-{i:05d}-of-00003.safetensors", "model.safetensors.index.json"]

    (index,) = indexes
    merged = {}
    for name, file in json.loads(index)["weight_map"].items():
        with safe_open(tmp_path / str(int(file[6:11])) / file, "np") as part:
            merged[name] = part.get_tensor(name)

    assert all(np.array_equal(merged[name], array) for name, array in load_file(minilm).items())


def test_the_example_rules_fit_the_example_model(answer):
    """examples/minilm-l6.toml has a rule for each tensor, and each of its rules applies to some."""
    status, out, _ = answer("init", MINILM, "--rules", MINILM.with_suffix(".toml"), "--dry-run", "--all")

    assert status == 0
    lines = out.splitlines()
    assert len(lines) == 104 + 3 and lines[-1].startswith("note: it may be an embedding with a padding row")
    for match in re.findall(r"^match = [\"'](.*)[\"']$", MINILM.with_suffix(".toml").read_text(), re.MULTILINE):
        assert f"  {match}  " in out


# -- options ------------------------------------------------------------------------------------------------------


def test_dtype_changes_floating_tensors_only(model, rules, tmp_path):
    """With --dtype all floating-point tensors have it, drawn in it; integers keep theirs."""
    path = tmp_path / "out"

    write("init", model(**SMALL), "--rules", rules, "-o", path, "--dtype", "float64")

    loaded = load_file(path)
    assert {name: array.dtype.name for name, array in loaded.items()} == {
        name: "int64" if name == "ids" else "float64" for name in SMALL}
    expected = Registry.get("normal", std=0.5)((6, 4), dtype="float64", seed=0, name="a.weight")
    assert np.array_equal(loaded["a.weight"], expected)


def test_dry_run_prints_a_table_and_writes_nothing(model, rules, tmp_path, answer):
    """Parameter, shape, dtype, rule, scheme and std of every tensor, whole lines when it is no terminal."""
    before = set(os.listdir(tmp_path)) | {"model.json"}

    status, out, err = answer("init", model(**SMALL), "--rules", rules, "--dry-run", "-o", tmp_path / "out")

    lines = [re.split(r"  +", line.strip()) for line in out.splitlines()]
    assert (status, err) == (0, "")
    assert lines[0] == ["parameter", "shape", "dtype", "rule", "scheme", "std"]
    assert [line[0] for line in lines[1:-1]] == list(SMALL)
    assert lines[1][1:] == ["6×4", "float32", "*", "Normal(std=0.5)", "0.5"]
    assert lines[4][1:5] == ["5", "int64", "ids", "arange(5)"]
    assert out.splitlines()[-1] == "5 tensors, 1,239 elements, 2,568 bytes"
    assert set(os.listdir(tmp_path)) == before


def test_dry_run_folds_layers(model, rules, answer):
    """A line stands for a run of layers that are alike; --all gives each its own."""
    path = model(**{f"layers.{i}.weight": ([4, 4], "F32") for i in range(9)})

    folded = answer("init", path, "--rules", rules, "--dry-run")[1]
    whole = answer("init", path, "--rules", rules, "--dry-run", "--all")[1]

    assert folded.splitlines()[1].startswith("layers.{0..8}.weight ×9  ")
    assert [line.split()[0] for line in whole.splitlines()[1:-1]] == [f"layers.{i}.weight" for i in range(9)]


def test_one_word_is_rules(model, answer):
    """A preset's name gives weights that scheme and biases zeros; a name that is nothing has a hint."""
    path = model(**{"fc.weight": ([4, 8], "F32"), "fc.bias": ([4], "F32")})

    assert re.search(r"fc.weight .* VarianceScaling.*\n.*fc.bias .* Constant",
                     answer("init", path, "--rules", "he_normal", "--dry-run")[1])
    status, _, err = answer("init", path, "--rules", "he_norml", "--dry-run")
    assert status == 1
    assert "did you mean 'he_normal'" in err


def test_rules_without_use_are_told(model, tmp_path, answer):
    """On standard error, a line each; with --warnings-as-errors the status is 1, all are told, and nothing is there."""
    path, rules, out = model(**SMALL), tmp_path / "typo.toml", tmp_path / "out.safetensors"
    rules.write_text("".join(f"[[rule]]\nmatch = '{match}'\ninit = 'zeros'\n" for match in ("*.wieght", "x", "*")))

    status, _, err = answer("init", path, "--rules", rules, "--dry-run")
    assert (status, err.splitlines()) == (0, [
        'fanin: warning: rule 1 "*.wieght" decides nothing: no name matches: did you mean *.weight?',
        'fanin: warning: rule 2 "x" decides nothing: no name matches'])
    status, printed, err = answer("init", path, "--rules", rules, "-o", out, "--warnings-as-errors")
    assert (status, printed) == (1, "")
    assert [line.split(" decides")[0] for line in err.splitlines()] == ['fanin: error: rule 1 "*.wieght"',
                                                                        'fanin: error: rule 2 "x"']
    assert not out.exists()


def test_rules_of_a_whole_model_for_a_part(model, tmp_path, answer):
    """With --partial rules that decide nothing are no warning; what is written is what the whole model's file has."""
    path, out = model(**{"block.1.weight": ([4, 8], "F32")}), tmp_path / "out.safetensors"
    rules = tmp_path / "whole.toml"
    rules.write_text("".join(f"[[rule]]\nmatch = '{match}'\ninit = 'he_normal'\n" for match in ("embed*", "block*")))

    assert "decides nothing" in answer("init", path, "--rules", rules, "--dry-run")[2]
    assert answer("init", path, "--rules", rules, "--dry-run", "--partial")[::2] == (0, "")
    assert answer("init", path, "--rules", rules, "-o", out, "--partial", "--warnings-as-errors")[::2] == (0, "")
    drawn = fanin.Registry.get("he_normal")((4, 8), seed=0, name="block.1.weight")
    assert np.array_equal(load_file(out)["block.1.weight"], drawn)


def test_dry_run_shows_the_files(model, rules, answer):
    """With several files each has a table; with --shard there is that of one file."""
    path = model(**SMALL)

    _, sized, _ = answer("init", path, "--rules", rules, "--dry-run", "--max-shard-size", "200")
    _, second, _ = answer("init", path, "--rules", rules, "--dry-run", "--shard", "2/2")

    first, *rest = sized.split("model-0000")[1:]
    assert first.startswith("1-of-00002.safetensors\nparameter ")
    assert [line.split()[0] for line in first.splitlines()[2:]] == list(SMALL)[:4]
    assert [line.split()[0] for line in rest[0].splitlines()[2:-1]] == list(SMALL)[4:]
    assert [line.split()[0] for line in second.splitlines()[2:-1]] == ["b.weight"]


def test_layout_jax_reads_the_axes_from_the_other_end(model, answer):
    """The fans of a bare name follow --layout."""
    path = model(w=([10, 40], "F32"))

    torch = answer("init", path, "--rules", "torch", "--dry-run")[1]
    jax = answer("init", path, "--rules", "torch", "--layout", "jax", "--dry-run")[1]
    assert torch == jax == ""  # `w` is no name that torch gives

    path = model(weight=([10, 40], "F32"))
    torch = answer("init", path, "--rules", "torch", "--dry-run")[1]
    jax = answer("init", path, "--rules", "torch", "--layout", "jax", "--dry-run")[1]
    assert float(torch.splitlines()[1].split()[-1]) == pytest.approx((3 * 40) ** -0.5, rel=5e-3)
    assert float(jax.splitlines()[1].split()[-1]) == pytest.approx((3 * 10) ** -0.5, rel=5e-3)


def test_list_names_every_preset(answer):
    """Each name with its meaning, its other names and its paper; a profile has names of its own."""
    status, out, err = answer("list")
    names = {line.split("  ")[0] for line in out.splitlines()[1:]}

    assert (status, err) == (0, "")
    assert names == set(Registry.names())
    of_jax = answer("list", "--profile", "jax")[1].splitlines()[1:]
    assert [line.split("  ")[0] for line in of_jax] == Registry.names("jax")
    assert re.search(r"^kaiming_normal +N\(0, 2/fan_in\) +msra, msraprelu, relu_invariant_gauss +He et al", out,
                     re.MULTILINE)


def test_show_prints_scheme_config_and_plan(answer):
    """The repr, the config as JSON, formula, paper, parameters, and for a shape what is drawn, with a picture."""
    status, out, err = answer("show", "he_normal", "--shape", "512,256")
    lines = out.splitlines()

    assert (status, err) == (0, "")
    assert lines[0] == repr(Registry.get("he_normal"))
    assert json.loads(lines[1]) == Registry.get("he_normal").get_config()
    assert re.search(r"^fan_in +256$", out, re.MULTILINE) and re.search(r"^std +0\.0883", out, re.MULTILINE)
    assert re.search(r"^meaning +N\(0, 2/fan_in\) cut at 2σ", out, re.MULTILINE)
    assert re.search(r"^paper +He et al\. 2015", out, re.MULTILINE)
    assert lines[-6].split() == ["0", "█" * 40]
    assert re.search(r"^aliases +gauss, ", answer("show", "normal")[1], re.MULTILINE)
    assert answer("show", "sparse", "sparsity=0.9")[1].startswith("Sparse(sparsity=0.9")
    assert answer("show", "he_normal", "mode=fan_out", "layout=o*i")[1].startswith(
        repr(Registry.get("he_normal", mode="fan_out", layout="o*i")))
    assert answer("show", "jax:kaiming_normal")[1] == answer("show", "kaiming_normal", "--profile", "jax")[1]


def test_version(answer):
    """--version prints the version."""
    assert answer("--version") == (0, f"fanin {fanin.__version__}\n", "")


def test_init_says_what_was_there(model, rules, tmp_path, answer):
    """A second run lists the same files, that each was there already, and by what it was recognized."""
    args = ("init", model(**SMALL), "--rules", rules, "-o", tmp_path / "out", "--max-shard-size", "200")

    first, second = answer(*args), answer(*args)

    assert [first[0], first[2], second[0], second[2]] == [0, "", 0, ""]
    there = ", already there (bytes not compared: fanin verify does)"
    assert second[1].splitlines() == [line + there for line in first[1].splitlines()]
    assert len(first[1].splitlines()) == 2


def test_what_a_reader_decided_is_said(model, rules, tmp_path, answer):
    """A remark on the model, such as an index whose size is wrong, is a line of its own, in a dry run too."""
    folder = tmp_path / "model"
    answer("init", model(**SMALL), "--rules", rules, "-o", folder, "--max-shard-size", "200")
    index = folder / "model.safetensors.index.json"
    index.write_text(index.read_text().replace('"total_size": 2568', '"total_size": 1'))
    note = f"note: {index}: `total_size` is 1, but the tensors of its files have 2568 bytes"

    dry = answer("init", folder, "--rules", rules, "--dry-run")[1].splitlines()
    written = answer("init", folder, "--rules", rules, "-o", tmp_path / "out")[1].splitlines()

    assert dry[-1] == note and dry[0].startswith("parameter")
    assert written[0] == note and len(written) == 2


def test_verify_says_ok(minilm, answer):
    """One line for a file that is what its metadata say, and status 0."""
    status, out, err = answer("verify", minilm)

    assert (status, err) == (0, "")
    assert out == f"{os.path.relpath(minilm)}: OK, 104 tensors, 22,713,728 elements, 90,856,960 bytes\n"


def test_verify_says_what_differs(model, rules, tmp_path, answer):
    """The files, the tensors of each with the first element that differs, and status 1."""
    answer("init", model(**SMALL), "--rules", rules, "-o", tmp_path / "out", "--max-shard-size", "200")
    second = tmp_path / "out" / "model-00002-of-00002.safetensors"
    data = bytearray(second.read_bytes())
    data[-1] ^= 0x80  # the last number's sign
    second.write_bytes(data)
    value = Registry.get("normal", std=0.5)((300, 4), dtype="float16", seed=0, name="b.weight")[-1, -1]

    status, out, err = answer("verify", tmp_path / "out")

    lines = out.splitlines()
    assert (status, err) == (1, "fanin: error: 1 of 2 files is not what is drawn\n")
    assert lines[0].endswith("model-00001-of-00002.safetensors: OK, 4 tensors, 39 elements, 168 bytes")
    assert lines[1].endswith("model-00002-of-00002.safetensors: 1 of 1 tensor differs")
    assert lines[2:] == ["  b.weight: 1 of 1,200 elements differs, the first at [299, 3]: "
                         f"found {-value!s}, expected {value!s}"]


def test_verify_counts_missing_files_apart(model, rules, tmp_path, answer):
    """A file that isn't there is not one that holds something else: the last line has a number for each."""
    folder, table = tmp_path / "out", model(**{name: ([10, 10], "F32") for name in "abcd"})
    rules.write_text("[[rule]]\nmatch = '*'\ninit = 'normal'")
    answer("init", table, "--rules", rules, "-o", folder, "--max-shard-size", "400")
    first, second, third, fourth = sorted(folder.glob("*.safetensors"))

    first.unlink()
    assert answer("verify", folder)[2] == "fanin: error: 1 of 4 files is missing\n"
    second.write_bytes(second.read_bytes()[:-1])
    assert answer("verify", folder)[2] == "fanin: error: 1 of 4 files is missing and 1 is not what is drawn\n"
    third.write_bytes(third.read_bytes()[:-4] + bytes(4))
    fourth.unlink()
    status, out, err = answer("verify", folder)

    assert (status, err) == (1, "fanin: error: 2 of 4 files are missing and 2 are not what is drawn\n")
    assert [line.partition(": ")[2] for line in out.splitlines()[:3]] == [
        "is missing, but the index lists it", "is cut off: it must have 488 bytes (it has 487)",
        "1 of 1 tensor differs"] or out


def test_verify_with_other_rules_lists_some_tensors(minilm, tmp_path, answer):
    """Where many differ, the first ten and how many more; --rules and --seed come before the metadata."""
    status, out, err = answer("verify", minilm, "--seed", "1")

    lines = out.splitlines()
    assert (status, err) == (1, "fanin: error: the file is not what is drawn\n")
    assert lines[0].endswith(": 40 of 104 tensors differ")  # 3 embeddings, 6 weights in each of 6 layers, the pooler
    assert len(lines) == 12 and lines[-1] == "  and 30 more tensors"
    assert answer("verify", minilm, "--rules", "transformer", "--seed", "0", "--layout", "torch")[0] == 0


# -- errors -------------------------------------------------------------------------------------------------------


def test_alone_it_prints_its_help(answer):
    """`fanin` with nothing behind it says what there is, as `fanin --help` does; that is no error."""
    alone = answer()

    assert alone == answer("--help")
    assert alone[0] == 0 and alone[2] == ""
    assert {line.split()[0] for line in alone[1].splitlines() if line.startswith("    ") and line[4] != " "} >= {
        "init", "spec", "verify", "audit", "list", "show", "devices", "completion"}


def examples(answer):
    """The command lines in the help of `fanin` and of each command, with their order kept."""
    commands = re.findall(r"^    (\w+) ", answer("--help")[1], flags=re.MULTILINE)
    helps = [answer(*command, "--help")[1].partition("examples:\n") for command in [(), *([name] for name in commands)]]
    assert [usage for usage, _, lines in helps if not lines] == []
    return [line.strip() for _, _, lines in helps for line in lines.splitlines() if re.match(r" {2}\S", line)]


def test_the_examples_in_each_help_run(model, tmp_path, monkeypatch, answer):
    """Every command's help has examples, and each of them does its work, where the files that it names are."""
    monkeypatch.chdir(tmp_path)
    table = model(**{f"layers.{layer}.{kind}": ([24, 24], "F32") for layer in range(5) for kind in ("weight", "bias")})
    (tmp_path / "rules.toml").write_text("[[rule]]\nmatch = '*'\ninit = 'normal'")
    for folder in ("llama/", "out/"):
        assert answer("init", table, "--rules", "rules.toml", "-o", folder, "--max-shard-size", "10kB")[0] == 0
    assert answer("init", table, "--rules", "transformer", "--seed", "7", "-o", "other.safetensors")[0] == 0
    ran = []
    for line in examples(answer):
        command, _, rest = line.partition(" ")
        if command == "fanin" and "|" not in line:  # others are a shell's: tests/test_completion.py
            assert answer(*shlex.split(rest))[::2] == (0, ""), line
            ran.append(line)

    assert len(ran) >= 15


USAGE = [
    (("initt",), "did you mean 'init'?"),
    (("verfy", "OUT"), "did you mean 'verify'?"),
    (("--verison",), "did you mean '--version'?"),
    (("nothing-like-it",), "must be one of init, "),
    (("verify", "OUT", "--sed=3"), "did you mean '--seed'?"),
    (("devices", "OUT"), "unknown argument"),
    (("init", "SPEC", "--rules", "RULES", "-o", "OUT", "--layout", "troch"), "did you mean 'torch'?"),
    (("init",), "SPEC"),
    (("init", "SPEC", "-o", "OUT"), "--rules"),
    (("init", "SPEC", "--rules", "RULES"), "-o/--output"),
    (("init", "SPEC", "--rules", "RULES", "-o", "OUT", "--max-shard-size", "1MB", "--shard", "1/2"), "not allowed"),
    (("init", "SPEC", "--rules", "RULES", "-o", "OUT", "--max-shard-size", "1XB"), "5GB"),
    (("init", "SPEC", "--rules", "RULES", "-o", "OUT", "--shard", "3/2"), "i/n"),
    (("init", "SPEC", "--rules", "RULES", "-o", "OUT", "--seed", "-1"), "`seed`"),
    (("init", "SPEC", "--rules", "RULES", "-o", "OUT", "--seed", str(2**64)), "`seed`"),
    (("init", "SPEC", "--rules", "RULES", "-o", "OUT", "--seed", "x"), "`seed`"),
    (("init", "SPEC", "--rules", "RULES", "-o", "OUT", "--dtype", "int8"), "`dtype`"),
    (("init", "SPEC", "--rules", "RULES", "-o", "OUT", "--layout", "tf"), "'tf'"),
    (("init", "SPEC", "--rule", "RULES", "-o", "OUT"), "--rules"),
    (("verify",), "PATH"),
    (("verify", "OUT", "--seed", "x"), "`seed`"),
    (("show",), "NAME"),
    (("show", "normal", "--shape", "3,x"), "`shape`"),
    (("show", "normal", "0.02"), "NAME=VALUE"),
]


@pytest.mark.parametrize(("args", "part"), USAGE)
def test_wrong_usage_is_status_2_and_one_line(model, rules, tmp_path, answer, args, part):
    """The line names the option and the rule; nothing is written."""
    places = {"SPEC": model(**SMALL), "RULES": rules, "OUT": tmp_path / "out"}
    before = set(os.listdir(tmp_path))

    status, out, err = answer(*(places.get(arg, arg) for arg in args))

    assert (status, out) == (2, "")
    assert err.startswith("fanin") and part in err and err.count("\n") == 1
    assert set(os.listdir(tmp_path)) == before


FAILURES = [
    (("init", "missing", "--rules", "RULES", "-o", "OUT"), "missing: No such file"),
    (("init", "TMP", "--rules", "RULES", "-o", "OUT"), "must have model.safetensors"),
    (("init", "RULES", "--rules", "RULES", "-o", "OUT"), "not valid JSON"),
    (("init", "SPEC", "--rules", "missing.toml", "-o", "OUT"), "missing.toml: No such file"),
    (("init", "SPEC", "--rules", "tranformer", "-o", "OUT"), "onnx, torch, transformer"),
    (("init", "SPEC", "--rules", "SPEC", "-o", "OUT"), r"[[rule]]"),
    (("init", "SPEC", "--rules", "transformer", "-o", "OUT"), "add one for ids"),
    (("init", "SPEC", "--rules", "RULES", "-o", "TMP/x.pt"), "must end in .safetensors"),
    (("init", "SPEC", "--rules", "RULES", "-o", "SPEC"), "must end in .safetensors"),
    (("spec", "SPEC", "-o", "TMP/x.safetensors"), "must end in .json"),
    (("spec", "SPEC", "-o", "SPEC"), "must not be a file that the model is read from"),
    (("init", "SPEC", "--rules", "RULES", "-o", "missing/out"), "does not"),
    (("init", "SPEC", "--rules", "RULES", "-o", "RULES", "--max-shard-size", "1MB"), "is a file"),
    (("init", "SPEC", "--rules", "RULES", "-o", "OUT", "--shard", "1/9"), "there are tensors, 5"),
    (("verify", "missing"), "missing: No such file"),
    (("verify", "TMP"), "must have model.safetensors"),
    (("show", "he_norml"), "he_normal"),
    (("show", "sparse"), "sparsity"),
    (("show", "he_normal", "--shape", "5"), "at least 2 dimensions"),
    (("show", "nope:he_normal"), "nope"),
    (("show", "normal", "std=-1"), "`std` must be finite and >= 0"),
    (("show", "normal", "stdd=1"), "stdd"),
    (("list", "--profile", "nope"), "nope"),
]


@pytest.mark.parametrize(("args", "part"), FAILURES)
def test_failures_are_status_1_and_one_line(model, rules, tmp_path, answer, args, part):
    """The line names what is wrong; nothing is written."""
    places = {"SPEC": model(**SMALL), "RULES": rules, "OUT": tmp_path / "out", "TMP": tmp_path}
    before = set(os.listdir(tmp_path))

    status, out, err = answer(*(places.get(arg, arg.replace("TMP", str(tmp_path))) for arg in args))

    assert (status, out) == (1, "")
    assert err.startswith("fanin: error: ") and part in err and err.count("\n") == 1
    assert set(os.listdir(tmp_path)) == before


def test_errors_of_a_real_process_have_no_traceback(tmp_path):
    """The same in a process of its own: one line, status 1 or 2."""
    assert "No such file" in run("init", tmp_path / "none", "--rules", "torch", "-o", tmp_path / "out", status=1)
    assert "--rules" in run("init", tmp_path / "none", "-o", tmp_path / "out", status=2)


@pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals are POSIX's")
def test_progress_is_shown_on_a_terminal_only(model, rules, tmp_path):
    """A bar with the amount done goes to standard error when that is a terminal; standard output stays what it was."""
    args = ("init", model(**SMALL), "--rules", rules, "-o", tmp_path / "out")
    silent = run(*args)
    (tmp_path / "out").unlink()

    printed, shown = at_terminal(*args)

    assert printed == silent
    assert re.search(rb"(\d\.\d)/\1 kB", shown), shown


@pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals are POSIX's")
def test_progress_names_the_file_and_what_comes_before_its_bytes(model, rules, tmp_path):
    """Until the first bytes the bar says that code is compiled; then it has the name of the file that it is at."""
    folder = tmp_path / "out"
    names = [rb"model-00001-of-00002.safetensors", rb"model-00002-of-00002.safetensors"]

    for command in (("init", model(**SMALL), "--rules", rules, "-o", folder, "--max-shard-size", "200"),
                    ("verify", folder)):
        shown = at_terminal(*command, COLUMNS="100")[1]
        places = [shown.find(part) for part in (b"compiling ", names[0] + b": compiling ", names[1] + b" ")]

        assert -1 not in places and places == sorted(places), shown
        assert names[1] + b": compiling" not in shown


def at_terminal(*args, **environment):
    """Run `fanin` with its standard error at a terminal: (standard output, what the terminal was sent)."""
    terminal, its_end = os.openpty()
    process = subprocess.Popen([sys.executable, "-m", "fanin", *map(str, args)], stdout=subprocess.PIPE, stderr=its_end,
                               text=True, env={**os.environ, "TERM": "xterm", **environment})
    os.close(its_end)
    shown = b""
    try:
        while part := os.read(terminal, 4096):
            shown += part
    except OSError:  # Linux's way to say that the other end is closed
        pass
    os.close(terminal)
    printed = process.communicate(timeout=60)[0]
    assert process.returncode == 0, shown
    return printed, shown


def test_a_closed_pipe_is_no_traceback():
    """`fanin list | head -1` ends quietly."""
    process = start("list")
    process.stdout.close()

    assert process.stderr.read() == ""
    process.stderr.close()
    assert process.wait() == 1


@pytest.mark.parametrize(("number", "status"), [
    (signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, 137)], ids=["INT", "TERM", "KILL"])
def test_a_killed_run_leaves_no_file(model, tmp_path, number, status):
    """Stopped while it writes, it leaves nothing under the final name; no temporary file either, if it may clean up."""
    path = model(**{name: ([3000, 3000], "F32") for name in "abcdefgh"})  # many seconds of work, few bytes
    rules = tmp_path / "rules.toml"
    rules.write_text("[[rule]]\nmatch = '*'\ninit = 'orthogonal'")
    (tmp_path / "out").mkdir()
    process = start("init", path, "--rules", rules, "-o", tmp_path / "out" / "model")
    deadline = time.monotonic() + 60
    while not os.listdir(tmp_path / "out"):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.01)

    process.send_signal(number)
    _, err = process.communicate(timeout=60)

    left = os.listdir(tmp_path / "out")
    # As a shell reports it: Python itself dies of SIGINT where the interrupt went through an exec(), which numba uses.
    assert (process.returncode if process.returncode >= 0 else 128 - process.returncode) == status
    assert err == ("fanin: interrupted\n" if status == 130 else "")
    assert left == [] if status == 130 else "model" not in left


MEASURED = """
import sys
from fanin.cli import main
status = main(sys.argv[1:])
# not getrusage's, which begins with the memory of the process that started this one
print(next(line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
sys.exit(status)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_memory_does_not_grow_with_a_tensor(model, tmp_path):
    """A tensor of 384 MiB takes no more memory than one of 32 MiB, to write and to verify."""
    rules = tmp_path / "rules.toml"
    rules.write_text("[[rule]]\nmatch = '*'\ninit = 'normal'")
    peaks = []
    for mebibytes in (32, 384):
        path = model(w=([mebibytes, 2**18], "F32"))
        for args in (["init", path, "--rules", rules, "-o", tmp_path / "out"], ["verify", tmp_path / "out"]):
            out = subprocess.run([sys.executable, "-c", MEASURED, *map(str, args)], capture_output=True, text=True,
                                 check=True)
            peaks.append(int(out.stdout.split()[-1]) * 1024)
        (tmp_path / "out").unlink()

    assert max(abs(peaks[2] - peaks[0]), abs(peaks[3] - peaks[1])) < 24 * 2**20
    assert max(peaks) < 384 * 2**20


def test_spec_prints_a_table_that_init_takes(model, tmp_path, capsys):
    """`fanin spec` writes names, shapes, dtypes and layers: the table makes the same file as the model itself."""
    layer = {"types": ["Conv1d"], "layout": "oi*", "groups": 2}
    path = tmp_path / "model.json"
    path.write_text(json.dumps({"conv.weight": {"shape": [8, 2, 3], "dtype": "F32", "layer": layer}}))

    assert main(["spec", str(path)]) == 0
    printed = capsys.readouterr().out
    assert main(["spec", str(path), "-o", str(tmp_path / "table.json")]) == 0

    assert json.loads(printed)["conv.weight"]["layer"] == layer
    assert (tmp_path / "table.json").read_text() == printed
    assert capsys.readouterr().out.endswith("table.json: 1 tensor\n")
    rules = tmp_path / "rules.toml"
    rules.write_text("[[rule]]\nmatch = '*'\ninit = 'glorot_normal'")
    for source in (path, tmp_path / "table.json"):
        assert main(["init", str(source), "--rules", str(rules), "-o", str(source.with_suffix(".safetensors"))]) == 0
    assert path.with_suffix(".safetensors").read_bytes() == (tmp_path / "table.safetensors").read_bytes()
