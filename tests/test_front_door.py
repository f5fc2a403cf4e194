"""Looking around in fanin works on a core install: help, dir, TAB, getmembers, hasattr, autospec and `import *`."""

import importlib.metadata
import re
import sys
from pathlib import Path

import pytest

import fanin
from looking import EXTRAS, ask, check


def needed(name, found):
    """The distributions that one needs without extras, itself included."""
    if name not in found:
        distribution = importlib.metadata.distribution(name)
        found[name] = distribution
        for requirement in distribution.requires or ():
            if "extra ==" not in requirement and "python_version" not in requirement:
                needed(re.match(r"[\w.-]+", requirement)[0], found)
    return found


@pytest.fixture(scope="module")
def core(tmp_path_factory):
    """A folder with what `pip install fanin` installs, and nothing else: links to what is installed here."""
    folder = tmp_path_factory.mktemp("core")
    for name, distribution in needed("fanin", {}).items():
        if name == "fanin":
            continue
        tops = {file.parts[0] for file in distribution.files if file.parts[0] != ".."}
        for top in tops - {"__pycache__"}:
            if not (folder / top).exists():
                (folder / top).symlink_to(distribution.locate_file(top))
    return [folder, Path(fanin.__file__).parent.parent]


@pytest.fixture(scope="module")
def bare(core):
    return ask(core)


def test_what_is_missing_is_an_attribute_that_is_not_there(bare):
    """Without its package a module is no attribute of fanin; the message, and the ImportError's, has the command."""
    assert bare["hasattr"] == dict.fromkeys([*EXTRAS, "nonsense"], False)
    for name, package in EXTRAS.items():
        words = f"fanin.{name} needs {package}, which is not installed: pip install 'fanin[{name}]'"
        assert bare["missing"][name] == [words, words]


def test_looking_around_without_extras(bare):
    """help, dir, TAB, getmembers, autospec and `import *` work in a Python that has what fanin needs alone."""
    check(bare)


def test_looking_around_with_what_is_here():
    """Likewise with all packages of this environment."""
    check(ask(sys.path))


def test_import_star_keeps_math():
    """`from fanin import *` binds no module, so a program's own `math` and `torch` stay what they are."""
    namespace = {}
    exec("from fanin import *", namespace)

    assert [name for name, value in namespace.items() if type(value) is type(sys)] == []
    assert {"Registry", "Rules", "seed", "Normal"} <= set(namespace)


def test_a_name_that_is_none_is_a_plain_attribute_error():
    """What fanin doesn't have says so, as of any module."""
    with pytest.raises(AttributeError, match="module 'fanin' has no attribute 'Registri'"):
        fanin.__getattr__("Registri")
    with pytest.raises(AttributeError, match="module 'fanin.compat' has no attribute 'tensorflow'"):
        fanin.compat.__getattr__("tensorflow")
