"""Runs the documentation's examples, for test_docs.py and interop/test_docs.py.

A page is one session, in a process of its own (what it registers is gone afterwards), in an empty folder that holds
the repository's `examples`. A block that begins with a comment that is a file's name (`# train.py`) is written to that
file; a console block can run it. By hand: `python tests/docs_session.py PAGE`, or with modules' names their docstrings.
"""

from __future__ import annotations

import contextlib
import doctest
import importlib
import io
import itertools
import os
import re
import shlex
import shutil
import subprocess
import sys
import types
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from sybil import Document, Example, Region, Sybil
from sybil.example import SybilFailure
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser, SkipParser
from sybil.typing import Parser

ROOT = Path(__file__).parent.parent
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
# what a console block may run; set-up commands stand in `bash` blocks
COMMANDS = {"bash", "cat", "fanin", "ls", "python", "torchrun"}
FILE = re.compile(r"(?:#!.*\n)?# ([\w./-]+\.\w+)\n")  # how a block begins that is a file
FILE_LANGUAGES = ("bash", "toml", "yaml")  # beside Python


def run_console(example: Example) -> None:
    """Run each `$ command` line of a console block and compare what it prints with the lines below it."""
    for transcript in re.split(r"^\$ ", example.parsed, flags=re.MULTILINE)[1:]:
        command, _, expected = transcript.partition("\n")
        words = shlex.split(command)
        variables = dict(word.split("=", 1) for word in itertools.takewhile(re.compile(r"\w+=").match, words))
        words = words[len(variables):]
        assert words[0] in COMMANDS, f"a console block may run {sorted(COMMANDS)} only: {command}"
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                              env=os.environ | variables)
        printed = done.stdout + done.stderr
        right = doctest.OutputChecker().check_output(expected, printed, FLAGS)
        assert right and (done.returncode == 0 or "error: " in expected), (
            f"{example.path}:{example.line}: $ {command}\nexpected:\n{expected}\nprinted, and returned "
            f"{done.returncode}:\n{printed}"
        )


def write_file(example: Example) -> None:
    """Write a block that begins with a file's name; another is only to be read."""
    found = FILE.match(example.parsed)
    if found:
        path = Path(found[1])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(example.parsed, "utf-8")


class PythonOrFileParser(PythonCodeBlockParser):
    """Python blocks: statements, `>>>` examples with their output, and files."""

    def __call__(self, document: Document) -> Iterator[Region]:
        for region in super().__call__(document):
            if isinstance(region.parsed, str) and FILE.match(region.parsed):
                region.evaluator = write_file
            yield region


def run_page(path: str) -> list[str]:
    """Evaluate every block of one page, in order, in one namespace; returns what failed."""
    parsers: list[Parser] = [PythonOrFileParser(doctest_optionflags=FLAGS), CodeBlockParser("console", run_console),
                             *(CodeBlockParser(language, write_file) for language in FILE_LANGUAGES), SkipParser()]
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


def run_docstrings(modules: Iterable[str]) -> list[str]:
    """Evaluate every `>>>` example of some modules; returns what failed."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        for name in modules:
            # as in the reference backend: device functions rely on integers that wrap around
            with np.errstate(over="ignore"):
                doctest.testmod(importlib.import_module(name), optionflags=FLAGS)
    return [printed.getvalue()] if printed.getvalue() else []


def run(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """This file as a script, in a process and a folder of its own; warnings are errors there too."""
    if (ROOT / "examples").is_dir():
        shutil.copytree(ROOT / "examples", tmp_path / "examples")
    scripts = str(Path(sys.executable).parent)
    # one thread: small networks train no faster on more, and torchrun warns where the number isn't set
    env = {**os.environ, "PATH": scripts + os.pathsep + os.environ["PATH"], "COLUMNS": "100", "PYTHONUTF8": "1",
           "KERAS_BACKEND": "numpy", "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, "-W", "error", __file__, *arguments], cwd=tmp_path, env=env,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)


if __name__ == "__main__":
    arguments = sys.argv[1:]
    sys.exit("\n".join(run_page(arguments[0]) if arguments[0].endswith(".md") else run_docstrings(arguments)) or None)
