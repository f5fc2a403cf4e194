"""The documentation's examples that need a framework."""

from pathlib import Path

import pytest

import fanin
from docs_session import ROOT, run

# which test_docs.py leaves to this file
PAGES = ("README.md", "docs/cheat-sheet.md", "docs/checkpoints.md", "docs/configs.md", "docs/models.md",
         "docs/quickstart.md", "docs/sharding.md", "docs/signal.md",
         *sorted(f"docs/cookbook/{path.name}" for path in (ROOT / "docs" / "cookbook").glob("*.md")
                 if path.name != "hydra-mlflow.md"))  # which trackers/test_docs.py runs


def modules():
    """The frameworks' modules and all that is in them. (Imported in the process that runs them: Keras asks for one.)"""
    package = Path(fanin.__file__).parent
    files = [package / "compat" / "torch" / "_modules.py",
             *(path for name in ("dask", "jax", "keras", "torch") for path in (package / name).rglob("*.py"))]
    return sorted(".".join(path.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__")
                  for path in files)


@pytest.mark.parametrize("page", PAGES)
def test_every_block_of_a_page_runs(page, tmp_path):
    """Every Python and console block runs, in order, and prints what the page says."""
    done = run(tmp_path, str(ROOT / page))

    assert done.returncode == 0, done.stderr


def test_examples_in_docstrings_run(tmp_path):
    """Every `>>>` example of the frameworks' modules prints what its docstring says."""
    assert {"fanin.dask", "fanin.jax", "fanin.keras._model", "fanin.torch"} <= set(modules())

    done = run(tmp_path, *modules())

    assert done.returncode == 0, done.stderr
