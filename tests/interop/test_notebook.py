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


def run(notebook: nbformat.NotebookNode, folder: Path) -> None:
    """Run a notebook's cells in a kernel, in that folder."""
    place = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=300, kernel_name="python3", resources=place).execute()


def test_the_notebook_runs_and_shows_what_it_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every cell runs, in order, and shows what is stored in the file: tables, a verdict, a picture."""
    monkeypatch.setenv("COLUMNS", "100")
    stored = nbformat.read(ROOT / "docs" / "cookbook" / "notebook.ipynb", as_version=4)
    fresh = copy.deepcopy(stored)

    run(fresh, tmp_path)

    assert printed(fresh) == printed(stored) != []
    shown = {kind for cell in fresh.cells for output in cell.get("outputs", []) for kind in output.get("data", {})}
    assert {"text/html", "image/png"} <= shown


def test_a_table_is_one_output_and_its_text_is_text(tmp_path: Path) -> None:
    """In a kernel, too, a table is shown once, as HTML and as text, and `str` and `print` give its text."""
    code = ("import fanin, torch\ntable = fanin.torch.init_module(torch.nn.Linear(3, 2), 'he_normal', seed=0)\n"
            "print(str(table))\ntable")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])

    run(notebook, tmp_path)

    printed, shown = notebook.cells[0].outputs
    assert printed.output_type == "stream" and printed.text.startswith("2 tensors, 8 parameters")
    assert shown.output_type == "execute_result" and shown.data["text/plain"] + "\n" == printed.text
    assert shown.data["text/html"].startswith("<div")
