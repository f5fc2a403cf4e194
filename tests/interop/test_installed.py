"""The environment has every package that the interop tests name, none is skipped; and fanin loads none unasked."""

import ast
import importlib.metadata
import importlib.util
import re
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from scripts import run

TESTS = Path(__file__).parent.parent
ROOT = TESTS.parent
FILES = sorted([*Path(__file__).parent.glob("*.py"), *(ROOT / "examples").glob("*.py")])
OTHERS = {"mlflow"}  # in an environment of its own: tests/trackers
# What extras and configs stand for, by the names that are imported.
OPTIONAL = {"torch", "transformers", "jax", "jaxlib", "flax", "equinox", "keras", "dask", "distributed", "onnx",
            "hydra", "omegaconf", "pydantic", "pydantic_core", "jsonargparse"}


def requirements(group, groups):
    """The requirements of a dependency group and of those that it includes."""
    for entry in groups[group]:
        if isinstance(entry, dict):
            yield from requirements(entry["include-group"], groups)
        else:
            yield Requirement(entry)


def interop():
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["dependency-groups"]
    return sorted(requirements("interop", groups), key=str)


def imported(path):
    """The top-level names of other packages that a file imports, at its top and in functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module.partition(".")[0])
    ours = {file.stem for folder in (TESTS, Path(__file__).parent, ROOT / "examples") for file in folder.glob("*.py")}
    return names - set(sys.stdlib_module_names) - ours - {"fanin"}


@pytest.mark.parametrize("requirement", interop(), ids=str)
def test_every_requirement_of_the_group_is_installed(requirement):
    """Each package of the dependency group `interop` is here, in a version that its requirement allows."""
    version = importlib.metadata.version(requirement.name)

    assert requirement.specifier.contains(version, prereleases=True)
    for extra in requirement.extras:
        for needed in map(Requirement, importlib.metadata.requires(requirement.name)):
            if needed.marker and needed.marker.evaluate({"extra": extra}) and not needed.marker.evaluate({"extra": ""}):
                assert needed.specifier.contains(importlib.metadata.version(needed.name), prereleases=True)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_package_that_a_file_names_is_installed(path):
    """What an interop test or an example imports can be found; a missing one fails here, by its name."""
    assert {name for name in imported(path) - OTHERS if importlib.util.find_spec(name) is None} == set()


def test_no_test_is_skipped_for_want_of_a_package():
    """No test file asks pytest to skip what it can't import, and interop tests skip only for what isn't a package."""
    text = {path: path.read_text("utf-8") for path in TESTS.rglob("*.py")}
    waived = {name for each in text.values() for name in re.findall(r"pytest.importorskip\(\s*[\"'](\w+)", each)}

    assert waived <= set(sys.stdlib_module_names)  # `resource` is Unix's
    skipping = {path.name for path in FILES if re.search(r"\bpytest\.(mark\.)?(skip|xfail)", text.get(path, ""))}
    assert skipping <= {"test_pages.py", "test_compat_torch_replay.py"}  # a browser; a processor's AVX2


def test_fanin_loads_nothing_unasked():
    """Schemes, rules, drawing and the command line load no framework, though all of them are installed."""
    loaded = run("""
        import fanin.cli
        rules = fanin.Rules.read("transformer")
        parameters = [fanin.rules.Parameter("h.0.mlp.weight", (8, 8), np.dtype("float32"))]
        rows = rules.assign(parameters).drawn
        assert rows[0].scheme((8, 8), seed=0, name="w", out=np.empty((8, 8), "float32")).any()
        fanin.Registry.get(fanin.Registry.get("he_normal").get_config()).shard((8, 8), 0, seed=0)
        answer(sorted({name.partition(".")[0] for name in sys.modules}))
    """)

    assert all(importlib.util.find_spec(name) for name in OPTIONAL)
    assert [name for name in sorted(OPTIONAL | OTHERS) if f'"{name}"' in loaded] == []
    assert '"numba"' in loaded  # it did draw
