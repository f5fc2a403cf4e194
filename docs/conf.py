"""Sphinx configuration; `tox -e docs` builds with warnings as errors, and looks at the pages in a browser."""

import importlib.metadata
import inspect
import re
import sys
from pathlib import Path

import fanin
from fanin.rules import Recipes
from fanin.rules._files import recipe_names

project = "fanin"
author = "fanin contributors"
copyright = "2026, fanin contributors"
release = importlib.metadata.version("fanin")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode", "sphinx_copybutton",
              "sphinx_design"]
exclude_patterns = ["_build"]
default_role = "code"  # docstrings mark code with single backticks

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_mock_imports = ["dask", "jax", "keras", "onnx", "torch"]  # none is needed to read what fanin does with them
maximum_signature_line_length = 80
suppress_warnings = ["ref.python"]  # `fanin.rules` and `fanin.torch` have a Comparison each: a short type can mean both
napoleon_numpy_docstring = False

copybutton_prompt_text = r">>> |\.\.\. |\$ "  # what is copied can be run: no prompts, no output
copybutton_prompt_is_regexp = True

html_theme = "furo"
html_title = f"fanin {release}"
html_static_path = ["_static"]
html_css_files = ["fanin.css"]

PACKAGE = Path(fanin.__file__).parent
_CODE_OR_MARKUP = re.compile(r"(`[^`]*`)|([*|])")


def escape_markup(app, what, name, obj, options, lines):
    """Docstrings are plain text: outside of code, * is a multiplication and | an absolute value."""
    in_example = False
    for number, line in enumerate(lines):
        in_example = line.lstrip().startswith(">>>") or (in_example and bool(line.strip()))
        if not in_example:
            lines[number] = _CODE_OR_MARKUP.sub(lambda found: found[1] or "\\" + found[2], line)


def find_source(app, module, attribute):
    """The module that a public name is written in: its class or function says that it is `fanin`'s own."""
    value = sys.modules.get(module)
    for part in (attribute or "").split("."):
        value = getattr(value, part, None)
    functions = [inspect.unwrap(each) for each in (value, *getattr(value, "__dict__", {}).values())
                 if inspect.isfunction(each)]
    for function in functions:
        path = Path(function.__code__.co_filename)
        if path.is_relative_to(PACKAGE):
            return ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    return None


def write_recipes(app, page, source):
    """The page of recipes ends in what the recipes' own files say."""
    if page == "recipes":
        source[0] += "".join(f"\n## {name}\n\n```text\n{Recipes(name).to_text(width=90)}\n```\n"
                             for name in recipe_names())


def setup(app):
    app.connect("source-read", write_recipes)
    app.connect("autodoc-process-docstring", escape_markup, priority=400)  # before napoleon, which adds markup
    app.connect("viewcode-follow-imported", find_source)
