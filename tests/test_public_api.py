"""The names that `fanin` exports, the ones the documentation describes and the ones the registry knows agree."""

import ast
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

import fanin
from fanin import Initializer, Registry

DOCS = Path(__file__).parent.parent / "docs"
DIRECTIVE = re.compile(r"^\.\. (?:auto(?:class|function|data|exception)|py:data)::\s+fanin\.([\w.]+)", re.MULTILINE)


def exported(module=fanin):
    """The public names of a module, and of fanin itself the modules that come with it."""
    return set(module.__all__) | ({"math", "stream"} if module is fanin else set())


def names_in(path):
    """The names that a module's source says are public: what it imports in the form `X as X`, and what it defines."""
    tree = ast.parse(path.read_text("utf-8"))
    reexported = {alias.asname for node in tree.body if isinstance(node, ast.ImportFrom)
                  for alias in node.names if alias.asname == alias.name}
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    return {name for name in reexported | defined if not name.startswith("_")}


@pytest.mark.parametrize("module", ["", "checkpoint", "dask", "jax", "keras", "math", "rules", "stream", "torch",
                                    *(f"compat.{name}" for name in fanin.compat.__all__)])
def test_all_has_what_the_source_makes_public(module):
    """`__all__` forgets none of the names that a module imports as its own or defines."""
    place = Path(fanin.__file__).parent.joinpath(*module.split(".")).with_suffix(".py")
    path = place if place.is_file() else place.with_suffix("") / "__init__.py"
    (listed,) = (ast.literal_eval(node.value) for node in ast.parse(path.read_text("utf-8")).body
                 if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__")

    assert names_in(path) - {"math", "stream"} <= set(listed)
    assert len(listed) == len(set(listed))


def documented():
    """The names, relative to `fanin`, that some page has an autodoc directive for."""
    return {name for page in DOCS.rglob("*.md") for name in DIRECTIVE.findall(page.read_text("utf-8"))}


def on_demand():
    """The public names of the modules that load on demand, which need not be importable here."""
    folder = Path(fanin.__file__).parent
    modules = [name for name, place in fanin._ON_DEMAND.items() if place == f".{name}"]
    files = {name: [folder / f"{name}.py", folder / name / "__init__.py"] for name in modules}
    return {f"{name}.{inside}" for name, places in files.items()
            for path in places if path.exists() for inside in names_in(path)}


def test_every_public_name_is_documented_and_every_documented_name_is_public():
    """What `fanin` and the modules that load on demand export has an autodoc entry, and nothing else does."""
    modules = {name for name in exported() if inspect.ismodule(getattr(fanin, name))}
    inner = {f"{name}.{inside}" for name in modules for inside in exported(getattr(fanin, name)) - exported()}
    names = exported() - modules | inner | on_demand() - {"rules.Rules"}  # which is fanin.Rules

    assert documented() == names


@pytest.mark.parametrize("name", sorted(exported()))
def test_every_public_name_has_a_docstring(name):
    """A public class or function says what it does."""
    value = getattr(fanin, name)

    assert not callable(value) or inspect.getdoc(value)


@pytest.mark.parametrize(("statement", "expected"), [
    ("import fanin; fanin.compat.torch.ones_", "fanin.compat.torch"),
    ("import fanin; fanin.compat.jax.key", "fanin.compat.jax"),
    ("from fanin import compat; compat.jittor.zero_", "fanin.compat.jittor"),
    ("import fanin; fanin.checkpoint.init", "fanin.checkpoint"),
])
def test_modules_on_demand_are_loaded_when_they_are_asked_for(statement, expected):
    """`import fanin` gives every documented module as an attribute, and loads none that nobody asks for."""
    code = f"import sys; {statement}; print(*sorted(name for name in sys.modules if name.startswith('fanin.')))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    others = {f"fanin.compat.{name}" for name in fanin.compat.__all__} - {expected}
    assert expected in loaded
    assert others & set(loaded) == set()


def test_dir_lists_the_modules_on_demand():
    """What can be asked for is listed, loaded or not."""
    assert set(fanin._ON_DEMAND) <= set(dir(fanin))
    assert set(fanin.compat.__all__) <= set(dir(fanin.compat))


def schemes():
    """fanin's own scheme classes, from the live registry."""
    found = {type(Registry.get({"scheme": name, "version": 1, **required(name)})) for name in scheme_names()}
    return {cls for cls in found if cls.__module__ == "fanin"}


def scheme_names():
    return [name for name in Registry.names() if is_scheme_name(name)]


def is_scheme_name(name):
    return name.replace("_", "") in {cls.__name__.lower() for cls in vars(fanin).values()
                                     if isinstance(cls, type) and issubclass(cls, Initializer)}


def required(name):
    return {"sparse": {"sparsity": 0.5}, "blocks": {"inits": ["zeros"]}, "chrono": {"t_max": 9}}.get(name, {})


def test_every_registered_scheme_is_exported():
    """A scheme that a config can name can also be imported from `fanin`."""
    assert {cls.__name__ for cls in schemes()} <= exported()


def test_every_registered_name_is_on_the_names_page():
    """docs/names.md lists every name, alias and profile that the registry knows by itself."""
    page = (DOCS / "names.md").read_text("utf-8")
    names = {*Registry.names(), *Registry.profiles(), *(alias for name in Registry.names()
                                                        for alias in Registry.aliases(name))}

    assert {name for name in names if f"`{name}`" not in page} == set()


def test_the_version_is_the_installed_distributions():
    """`fanin.__version__` and the metadata of the built package agree."""
    from importlib.metadata import version

    assert fanin.__version__ == version("fanin")


@pytest.mark.parametrize("cls", sorted((value for value in vars(fanin).values() if isinstance(value, type)
                                        and issubclass(value, Initializer) and value is not Initializer),
                                       key=lambda cls: cls.__name__))
def test_every_scheme_documents_its_parameters_with_an_example(cls):
    """A scheme's docstring names each constructor parameter and holds an example that runs."""
    text = inspect.getdoc(cls)
    parameters = list(inspect.signature(cls).parameters)

    assert [name for name in parameters if not re.search(rf"\b{name}\b", text)] == []
    assert ">>>" in text
