"""The documentation is executed: Python blocks, console blocks and the examples in docstrings.

A page is one session, in a process of its own (what it registers is gone afterwards), in an empty folder that holds
the repository's `examples`. `python tests/test_docs.py PAGE` runs one page by hand, and without a page the docstrings.
"""

import contextlib
import doctest
import importlib
import io
import os
import pkgutil
import re
import shlex
import shutil
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from sybil import Sybil
from sybil.example import SybilFailure
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser, SkipParser

import fanin

ROOT = Path(__file__).parent.parent
PAGES = [page for page in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
         if re.search(r"^```(python|console)$", page.read_text("utf-8"), flags=re.MULTILINE)]
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
COMMANDS = {"fanin", "cat", "ls"}  # what a console block may run; set-up commands stand in `bash` blocks
# runs the command line; can be imported only where numba-cuda is installed; likewise, JAX
NO_EXAMPLES = {"fanin.__main__", "fanin.backends.cuda", "fanin.compat.jax._with_jax"}


def run_console(example):
    """Run each `$ command` line of a console block and compare what it prints with the lines below it."""
    for transcript in re.split(r"^\$ ", example.parsed, flags=re.MULTILINE)[1:]:
        command, _, expected = transcript.partition("\n")
        words = shlex.split(command)
        assert words[0] in COMMANDS, f"a console block may run {sorted(COMMANDS)} only: {command}"
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
        printed = done.stdout + done.stderr
        assert doctest.OutputChecker().check_output(expected, printed, FLAGS), (
            f"{example.path}:{example.line}: $ {command}\nexpected:\n{expected}\nprinted:\n{printed}"
        )


def run_page(path):
    """Evaluate every block of one page, in order, in one namespace; returns what failed."""
    parsers = [PythonCodeBlockParser(doctest_optionflags=FLAGS), CodeBlockParser("console", run_console), SkipParser()]
    document = Sybil(parsers).parse(Path(path))
    page = types.ModuleType("page")
    sys.modules["page"] = page  # so that classes defined on the page can be pickled, as in any module
    document.namespace = vars(page)
    failures = []
    for example in document.examples():
        try:
            example.evaluate()
        except (AssertionError, SybilFailure) as failure:
            failures.append(str(failure))
    return failures


def run_docstrings():
    """Evaluate every `>>>` example of the package; returns what failed."""
    names = ["fanin", *(info.name for info in pkgutil.walk_packages(fanin.__path__, "fanin."))]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for name in names:
            if name not in NO_EXAMPLES:
                # as in the reference backend: device functions rely on integers that wrap around
                with np.errstate(over="ignore"):
                    doctest.testmod(importlib.import_module(name), optionflags=FLAGS)
    return [printed.getvalue()] if printed.getvalue() else []


def run(tmp_path, *arguments):
    """This file as a script, in a process and a folder of its own; warnings are errors there too."""
    if (ROOT / "examples").is_dir():
        shutil.copytree(ROOT / "examples", tmp_path / "examples")
    scripts = str(Path(sys.executable).parent)
    env = {**os.environ, "PATH": scripts + os.pathsep + os.environ["PATH"], "COLUMNS": "100", "PYTHONUTF8": "1"}
    return subprocess.run([sys.executable, "-W", "error", __file__, *arguments], cwd=tmp_path, env=env,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_block_of_a_page_runs(path, tmp_path):
    """Every Python and console block runs, in order, and prints what the page says."""
    done = run(tmp_path, str(path))

    assert done.returncode == 0, done.stderr


def test_examples_in_docstrings_run(tmp_path):
    """Every `>>>` example of the package prints what its docstring says."""
    done = run(tmp_path)

    assert done.returncode == 0, done.stderr


def test_readme_and_ci_run_the_same_test_command():
    """.ci/run finds exactly one test command in the README, and takes it from there."""
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    pattern = re.search(r"grep -m 1 -E '([^']+)' README\.md", script).group(1)

    assert len(re.findall(pattern, (ROOT / "README.md").read_text("utf-8"), flags=re.MULTILINE)) == 1


if __name__ == "__main__":
    sys.exit("\n".join(run_page(sys.argv[1]) if sys.argv[1:] else run_docstrings()) or None)
