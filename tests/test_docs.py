"""The documentation is executed: Python blocks, console blocks and the examples in docstrings.

What needs a framework is left to interop/test_docs.py.
"""

import pkgutil
import re

import pytest

import fanin
from docs_session import ROOT, run

# pages with blocks that need torch, JAX, … installed, as those of README.md do
FRAMEWORK_PAGES = {"cheat-sheet.md", "checkpoints.md", "configs.md", "models.md", "quickstart.md", "sharding.md",
                   "signal.md"}
PAGES = [page for page in sorted((ROOT / "docs").glob("*.md"))
         if re.search(r"^```(python|console)$", page.read_text("utf-8"), flags=re.MULTILINE)
         and page.name not in FRAMEWORK_PAGES]
# runs the command line; needs numba-cuda; need a framework
NO_EXAMPLES = ("fanin.__main__", "fanin._backends.cuda", "fanin.compat.jax._with_jax", "fanin.compat.torch._modules",
               "fanin.torch", "fanin.jax", "fanin.keras", "fanin.dask")


def modules():
    """The modules whose docstrings' examples run without a framework."""
    found = pkgutil.walk_packages(fanin.__path__, "fanin.", onerror=lambda name: None)
    names = ["fanin", *(info.name for info in found)]
    return [name for name in names if not any(name == left or name.startswith(left + ".") for left in NO_EXAMPLES)]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_block_of_a_page_runs(path, tmp_path):
    """Every Python and console block runs, in order, and prints what the page says."""
    done = run(tmp_path, str(path))

    assert done.returncode == 0, done.stderr


def test_examples_in_docstrings_run(tmp_path):
    """Every `>>>` example of the package prints what its docstring says."""
    done = run(tmp_path, *modules())

    assert done.returncode == 0, done.stderr


def test_readme_and_ci_run_the_same_test_command():
    """.ci/run finds exactly one test command in the README, and takes it from there."""
    script = (ROOT / ".ci" / "run").read_text("utf-8")
    pattern = re.search(r"grep -m 1 -E '([^']+)' README\.md", script).group(1)

    assert len(re.findall(pattern, (ROOT / "README.md").read_text("utf-8"), flags=re.MULTILINE)) == 1
