"""torch modules as specs, named as package.module:name or file.py:name, and their checkpoints."""

import json
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from fanin import FaninError
from fanin.checkpoint import read_spec, write_table
from fanin.cli import main
from fanin.rules import Layer
from fanin.torch import init_module

NETS = '''
"""Modules in every form that a reference may name."""
from __future__ import annotations

import dataclasses

import torch
from torch import nn
from torch.nn.utils import parametrizations


@dataclasses.dataclass
class Config:
    width: int = 12


class Net(nn.Module):
    def __init__(self, width=Config().width):
        super().__init__()
        self.embed = nn.Embedding(30, width, padding_idx=2)
        self.conv = nn.Conv1d(width, 24, 3, groups=4)
        self.norm = nn.BatchNorm1d(24)
        self.up = nn.ConvTranspose1d(24, width, 4, groups=2)
        self.attn = nn.MultiheadAttention(width, 3)
        self.head = nn.Linear(width, 30, bias=False)
        self.head.weight = self.embed.weight
        self.register_buffer("kept", torch.zeros(5, dtype=torch.float64))
        self.register_buffer("scratch", torch.zeros(5), persistent=False)

    @classmethod
    def wide(cls):
        return cls(24)


def net():
    return Net()


ready = nn.Linear(3, 4)
number = 3


def huge():
    return nn.Linear(2**20, 2**20)


def compiled():
    return nn.Sequential(torch.compile(nn.Linear(3, 4)))


def parametrized():
    return nn.Sequential(parametrizations.weight_norm(nn.Linear(3, 4)))


class Extra(nn.Linear):
    def get_extra_state(self):
        return {"version": 1}


def extra():
    return Extra(3, 4)


def lazy():
    return nn.LazyLinear(3)


def config():
    return Config()


def wrong():
    raise RuntimeError("no such\\nconfig")


def exits():
    raise SystemExit("bye")


def values():
    return nn.Linear(int(torch.ones(1).item()), 2)


def complex128():
    return nn.Linear(3, 4, dtype=torch.complex128)


def float8():
    module = nn.Module()
    module.w = nn.Parameter(torch.empty(3, 4, dtype=torch.float8_e4m3fn), requires_grad=False)
    return module
'''
RULES = {"rule": [{"match": "*.running_var", "init": "ones"}, {"match": "*num_batches_tracked", "init": "zeros"},
                  {"match": "kept", "init": "arange"}, {"match": "re:.*bias|.*mean|norm.*", "init": "zeros"},
                  {"match": "*", "init": "glorot_normal"}]}


@pytest.fixture(scope="module")
def nets(tmp_path_factory):
    path = tmp_path_factory.mktemp("nets") / "nets.py"
    path.write_text(NETS)
    return path


@pytest.fixture
def rules(tmp_path):
    path = tmp_path / "rules.json"
    path.write_text(json.dumps(RULES))
    return str(path)


def names(spec):
    return [info.name for info in spec.tensors]


def build(path, name):
    space = {"__name__": "nets"}
    sys.modules["nets"] = type(sys)("nets")  # dataclasses look there
    try:
        exec(path.read_text(), space)
    finally:
        del sys.modules["nets"]
    return space[name]()


def test_the_file_is_what_init_module_makes(nets, rules, tmp_path):
    """`fanin init file.py:function` writes the bits that `init_module` puts into the module, fans by layer and all."""
    out = tmp_path / "out.safetensors"
    module = build(nets, "net")
    init_module(module, rules, seed=7, buffers=True)

    assert main(["init", f"{nets}:net", "--rules", rules, "--seed", "7", "-o", str(out)]) == 0

    written, state = load_file(out), module.state_dict()
    assert state.keys() - written.keys() == {"head.weight"}  # tied to embed.weight
    assert not written.keys() - state.keys()
    for name, values in written.items():
        assert torch.equal(values, state[name]), name
    assert written["embed.weight"][2].eq(0).all() and written["embed.weight"][1].ne(0).all()
    assert written["kept"].dtype == torch.float64


def test_a_table_stands_for_the_module(nets, rules, tmp_path):
    """A module's table, layers in it, gives the same file where there is no torch."""
    write_table(read_spec(f"{nets}:net"), tmp_path / "net.json")
    for number, source in enumerate((f"{nets}:net", tmp_path / "net.json")):
        assert main(["init", str(source), "--rules", rules, "-o", str(tmp_path / f"{number}")]) == 0

    assert (tmp_path / "0").read_bytes() == (tmp_path / "1").read_bytes()


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")  # torch.compile's own
def test_what_a_reference_may_name(nets):
    """A function, a class, a method, a module that is ready; in the order of the state dict."""
    net = read_spec(f"{nets}:net")

    assert read_spec(f"{nets}:Net") == net
    assert names(net) == [name for name in build(nets, "net").state_dict() if name != "head.weight"]
    assert {info.shape for info in read_spec(f"{nets}:Net.wide").tensors if info.name == "embed.weight"} == {(30, 24)}
    assert [(info.name, info.shape, info.dtype.name, info.layer) for info in read_spec(f"{nets}:ready").tensors] == [
        ("weight", (4, 3), "float32", Layer(("Linear",), "oi*")), ("bias", (4,), "float32", Layer(("Linear",)))]
    assert names(read_spec(f"{nets}:compiled")) == ["0.weight", "0.bias"]


def test_no_weight_takes_memory(nets):
    """A layer of 4 TiB is built on the meta device."""
    assert [info.shape for info in read_spec(f"{nets}:huge").tensors] == [(2**20, 2**20), (2**20,)]


def test_what_is_special_is_said(nets):
    """Parametrized tensors are plain in the file; what is no tensor is left out."""
    parametrized, extra = read_spec(f"{nets}:parametrized"), read_spec(f"{nets}:extra")

    assert set(names(parametrized)) == {"0.weight", "0.bias"}
    assert len(parametrized.notes) == 1 and parametrized.notes[0].endswith("to be loaded before that: 0.weight")
    assert names(extra) == ["weight", "bias"]
    assert extra.notes == ("left out what is no tensor: _extra_state",)
    assert [info.dtype.name for info in read_spec(f"{nets}:float8").tensors] == ["float8_e4m3fn"]


def test_the_folder_of_a_file_is_importable(tmp_path):
    """As when Python runs it; a file that changes is read anew, and one may be called like a module that is needed."""
    (tmp_path / "sizes_of_this_test.py").write_text("WIDTH = 5\n")
    path = tmp_path / "json.py"
    for width in (5, 7):
        path.write_text(f"import torch\nfrom sizes_of_this_test import WIDTH\nmodel = torch.nn.Linear({width}, WIDTH)")
        assert read_spec(f"{path}:model").tensors[0].shape == (5, width)
    assert str(tmp_path) not in sys.path
    assert sys.modules["json"] is json
    del sys.modules["sizes_of_this_test"]


def test_a_module_in_the_current_folder(tmp_path):
    """`fanin init package.module:name`, in a process of its own, as with `python -m`."""
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "__init__.py").write_text("")
    (tmp_path / "nets" / "small.py").write_text("from torch import nn\nnet = lambda: nn.Linear(3, 4)\n")
    command = "import sys; sys.path.remove(''); from fanin.cli import main; sys.exit(main(sys.argv[1:]))"

    done = subprocess.run([sys.executable, "-c", command, "init", "nets.small:net", "--rules", "torch", "-o", "out"],
                          cwd=tmp_path, capture_output=True, text=True, timeout=60)

    assert (done.returncode, done.stderr) == (0, "")
    assert {name: tuple(values.shape) for name, values in load_file(tmp_path / "out").items()} == {
        "weight": (4, 3), "bias": (4,)}


@pytest.mark.parametrize(("name", "parts"), [
    ("missing", ["must have 'missing'"]),
    ("Net.missing", ["must have 'Net.missing'", "'missing'"]),
    ("number", ["must be a torch.nn.Module, or a function", "3"]),
    ("config", ["must return a torch.nn.Module", "Config"]),
    ("wrong", ["RuntimeError: no such config"]),
    ("exits", ["SystemExit: bye"]),
    ("values", ["meta", "item"]),
    ("lazy", ["uninitialized", "lazy"]),
    ("complex128", ["'weight'", "complex128"]),
])
def test_what_cannot_be_built_is_refused_in_one_line(nets, name, parts):
    """The message names the reference, and what happened."""
    with pytest.raises(FaninError) as caught:
        read_spec(f"{nets}:{name}")

    message = str(caught.value)
    assert message.startswith(f"{nets}:{name}: ") and "\n" not in message
    for part in parts:
        assert part in message, message


@pytest.mark.parametrize(("text", "part"), [
    ("import no_such_module_anywhere", "No module named 'no_such_module_anywhere'"),
    ("def net(:", "SyntaxError"),
    ("import sys; sys.exit(3)", "SystemExit: 3"),
    ("raise KeyboardInterrupt", None),
])
def test_a_file_that_cannot_be_imported_is_refused_in_one_line(tmp_path, text, part):
    """A script that ends itself must not end `fanin` in silence; Ctrl-C must."""
    path = tmp_path / "net.py"
    path.write_text(text)

    with pytest.raises(FaninError if part else KeyboardInterrupt) as caught:
        read_spec(f"{path}:net")

    assert "net" not in sys.modules
    if part:
        assert part in str(caught.value) and str(caught.value).startswith(f"{path}:net: importing {path} raised ")


def test_what_is_not_there_is_named(tmp_path, nets):
    """A file, a module, and a file without the name of what builds the model."""
    for source, part in [(f"{tmp_path / 'none.py'}:net", "No such file"), ("no_such_package.x:net", "no_such_package"),
                         (str(nets), f"{nets}:FUNCTION")]:
        with pytest.raises(FaninError, match=part.replace("\\", ".")):
            read_spec(source)
    with pytest.raises(FileNotFoundError):
        read_spec(tmp_path / "none.json")
