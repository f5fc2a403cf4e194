"""Sphinx configuration; `tox -e docs` builds with warnings as errors."""

import importlib.metadata
import re

project = "fanin"
author = "fanin contributors"
copyright = "2026, fanin contributors"
release = importlib.metadata.version("fanin")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
default_role = "code"  # docstrings mark code with single backticks

myst_enable_extensions = ["deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "none"
autodoc_mock_imports = ["dask", "jax", "keras", "onnx", "torch"]  # none is needed to read what fanin does with them
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = f"fanin {release}"

_CODE_OR_MARKUP = re.compile(r"(`[^`]*`)|([*|])")


def escape_markup(app, what, name, obj, options, lines):
    """Docstrings are plain text: outside of code, * is a multiplication and | an absolute value."""
    in_example = False
    for number, line in enumerate(lines):
        in_example = line.lstrip().startswith(">>>") or (in_example and bool(line.strip()))
        if not in_example:
            lines[number] = _CODE_OR_MARKUP.sub(lambda found: found[1] or "\\" + found[2], line)


def setup(app):
    app.connect("autodoc-process-docstring", escape_markup, priority=400)  # before napoleon, which adds markup
