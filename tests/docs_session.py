"""Runs the documentation's examples, for test_docs.py and interop/test_docs.py.

A page is one session, in a process of its own (what it registers is gone afterwards), in an empty folder that holds
the repository's `examples`. By hand: `python tests/docs_session.py PAGE`, or with modules' names their docstrings.
"""

import contextlib
import doctest
import importlib
import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
from sybil import Sybil
from sybil.example import SybilFailure
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser, SkipParser

ROOT = Path(__file__).parent.parent
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
COMMANDS = {"fanin", "cat", "ls"}  # what a console block may run; set-up commands stand in `bash` blocks


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


def run_docstrings(modules):
    """Evaluate every `>>>` example of some modules; returns what failed."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for name in modules:
            # as in the reference backend: device functions rely on integers that wrap around
            with np.errstate(over="ignore"):
                doctest.testmod(importlib.import_module(name), optionflags=FLAGS)
    return [printed.getvalue()] if printed.getvalue() else []


def run(tmp_path, *arguments):
    """This file as a script, in a process and a folder of its own; warnings are errors there too."""
    if (ROOT / "examples").is_dir():
        shutil.copytree(ROOT / "examples", tmp_path / "examples")
    scripts = str(Path(sys.executable).parent)
    env = {**os.environ, "PATH": scripts + os.pathsep + os.environ["PATH"], "COLUMNS": "100", "PYTHONUTF8": "1",
           "KERAS_BACKEND": "numpy"}
    return subprocess.run([sys.executable, "-W", "error", __file__, *arguments], cwd=tmp_path, env=env,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    sys.exit("\n".join(run_page(arguments[0]) if arguments[0].endswith(".md") else run_docstrings(arguments)) or None)
