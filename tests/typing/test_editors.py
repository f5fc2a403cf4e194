"""What editors offer: pyright, which VS Code and many others ask, and Jedi, which IPython and notebooks ask."""

import ast
import typing
from pathlib import Path

import jedi
import pytest

import fanin
from editor import Pyright
from fanin._initializers.names import Name, Profile
from fanin.rules._files import rule_sets

MODULES = ("", "checkpoint", "compat", "dask", "jax", "keras", "math", "rules", "stream", "torch",
           *(f"compat.{name}" for name in fanin.compat.__all__))
SCHEME = {"describe", "from_config", "get_config", "plan", "replace", "shard"}
# Jedi offers whatever lies in a package's folder: the command line's module, and folders of TOML files.
LYING_THERE = {"": {"cli"}, "rules": {"recipes", "sets"}}


def public(module):
    """The names in a module's `__all__`, and the modules that come with fanin; read, so that no framework is needed."""
    place = Path(fanin.__file__).parent.joinpath(*module.split("."))
    path = place.with_suffix(".py") if module and place.with_suffix(".py").is_file() else place / "__init__.py"
    (names,) = (ast.literal_eval(node.value) for node in ast.parse(path.read_text("utf-8")).body
                if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__")
    return {*names, *(MODULES[1:10] if module == "" else ())}


def behind(module):
    dotted = f"fanin.{module}".rstrip(".")
    return f"import {dotted}\n{dotted}."


def offered(names):
    """What is offered first: editors put names with an underscore last."""
    return {name for name in names if not name.startswith("_")}


def docstring(name, alias):
    """Jedi's, of a completion; of an alias that of what it stands for."""
    return name.docstring(raw=True) or alias and any(each.docstring(raw=True) for each in name.infer())


@pytest.fixture(scope="module")
def pyright(tmp_path_factory):
    with Pyright(tmp_path_factory.mktemp("programs")) as server:
        yield server


@pytest.mark.parametrize("module", MODULES)
def test_pyright_offers_what_is_public(pyright, module):
    """Behind a module's name stand its public names, each with its docstring, and nothing internal."""
    items = pyright.completions(behind(module))

    assert offered(items) == public(module)
    assert [name for name in sorted(offered(items)) if "\n\n" not in pyright.documentation(items[name])] == []


@pytest.mark.parametrize("module", MODULES)
def test_jedi_offers_what_is_public(module):
    """Likewise Jedi; in `compat` other systems' second names for a function have the docstring of the first."""
    found = {each.name: each for each in jedi.Script(behind(module)).complete()}

    assert offered(found) - LYING_THERE.get(module, set()) == public(module)
    assert [name for name in sorted(public(module)) if not docstring(found[name], module.startswith("compat."))] == []


def test_what_a_scheme_can_do(pyright):
    """A scheme found by name has its methods offered, with their docstrings, by both."""
    program = 'import fanin\nhe = fanin.Registry.get("he_normal")\nhe.'
    items = pyright.completions(program)
    found = {each.name: each for each in jedi.Script(program).complete()}

    assert offered(items) == offered(found) == SCHEME
    assert all("\n\n" in pyright.documentation(items[name]) and found[name].docstring(raw=True) for name in SCHEME)


@pytest.mark.parametrize(("call", "words"), [
    ('Registry.get("', typing.get_args(Name)),
    ('Registry.get("normal", profile="', typing.get_args(Profile)),
    ('Rules.read("', rule_sets()),
    ('Rules.of("', [*rule_sets(), "he_normal"]),
    ('torch.init_module(model, "', [*rule_sets(), "he_normal"]),
    ('checkpoint.init(path, path, "', [*rule_sets(), "he_normal"]),
    ('VarianceScaling(mode="', ["fan_in", "fan_out", "fan_avg", "fan_geo_avg"]),
    ('VarianceScaling(distribution="', ["truncated_normal", "normal", "uniform"]),
    ('TruncatedNormal(bounds="', ["std", "absolute"]),
    ('Normal()((2, 3), dtype="', ["float32", "bfloat16", "bf16", "fp16"]),
    ('Normal()((2, 3), device="', ["cpu", "cuda", "reference"]),
    ('Normal().shard((2, 3), 0, device="', ["cpu", "cuda", "reference"]),
])
def test_pyright_offers_the_words_that_a_string_may_be(pyright, call, words):
    """Inside quotes stand the names that are known there. (Jedi offers the files of the folder there, whatever is
    called: it doesn't read the types of strings.)"""
    assert set(words) - set(pyright.completions(f"import fanin\nfanin.{call}")) == set()
