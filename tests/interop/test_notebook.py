"""The cookbook's notebook, run by a Jupyter kernel."""

import copy
import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from docs_session import ROOT


def printed(notebook: nbformat.NotebookNode) -> list[str]:
    """What each cell shows as text; numbers are left out, since the signal's last digits are the processor's."""
    texts = (output.get("data", {}).get("text/plain", output.get("text", ""))
             for cell in notebook.cells for output in cell.get("outputs", []))
    return [re.sub(r"\d[\d.e-]*", "#", text) for text in texts]


def test_the_notebook_runs_and_shows_what_it_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cell runs, in order, and shows what is stored in the file: tables, a verdict, a picture."""
    monkeypatch.setenv("COLUMNS", "100")
    stored = nbformat.read(ROOT / "docs" / "cookbook" / "notebook.ipynb", as_version=4)
    fresh = copy.deepcopy(stored)

    NotebookClient(fresh, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()

    assert printed(fresh) == printed(stored) != []
    shown = {kind for cell in fresh.cells for output in cell.get("outputs", []) for kind in output.get("data", {})}
    assert {"text/html", "image/png"} <= shown
