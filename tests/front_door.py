"""What someone who looks around meets, in a Python with or without the optional packages; prints it as JSON."""

import contextlib
import importlib
import importlib.util
import inspect
import io
import json
import pydoc
import rlcompleter
import sys
from unittest import mock

import fanin

MODULES = ("checkpoint", "compat", "dask", "jax", "keras", "math", "rules", "stream", "torch",
           *(f"compat.{name}" for name in fanin.compat.__all__))


def importable(name):
    try:
        return importlib.import_module(f"fanin.{name}")
    except ImportError:
        return None


def missing(name):
    """The errors of `fanin.<name>` and of its import, and whether the first is an attribute error."""
    try:
        getattr(fanin, name)
    except AttributeError as error:
        attribute = str(error)
    try:
        importlib.import_module(f"fanin.{name}")
    except ImportError as error:
        return [attribute, str(error)]


def shown(thing):
    """What `help(thing)` prints."""
    return pydoc.plain(pydoc.render_doc(thing))


def starred(module):
    """What `from module import *` binds."""
    namespace = {}
    exec(f"import math; from {module.__name__} import *", namespace)
    assert module is not fanin or namespace["math"] is sys.modules["math"]
    return sorted(set(namespace) - {"__builtins__", "math"})


def completed(text):
    """What TAB offers in the REPL behind `text`."""
    with contextlib.redirect_stdout(io.StringIO()):
        completer = rlcompleter.Completer({"fanin": fanin})
        return [found.rstrip("()") for found in iter_until_none(completer, text)]


def iter_until_none(completer, text):
    state = 0
    while (found := completer.complete(text, state)) is not None:
        yield found
        state += 1


here = {name: module for name in MODULES if (module := importable(name))}
members = dict(inspect.getmembers(fanin))
spec = mock.create_autospec(fanin)
json.dump({
    "here": sorted(here),
    "hasattr": {name: hasattr(fanin, name) for name in ("torch", "jax", "keras", "dask", "nonsense")},
    "missing": {name: missing(name) for name in ("torch", "jax", "keras", "dask") if name not in here},
    "members": sorted(members),
    "autospec": callable(spec.seed) and hasattr(spec, "Registry") and not hasattr(spec, "nonsense"),
    "help": {name: shown(module) for name, module in {"": fanin, **here}.items()},
    "star": {name: starred(module) for name, module in {"": fanin, **here}.items()},
    "dir": {name: dir(module) for name, module in {"": fanin, **here}.items()},
    "all": {name: module.__all__ for name, module in {"": fanin, **here}.items()},
    "tab": completed("fanin."),
}, sys.stdout)
