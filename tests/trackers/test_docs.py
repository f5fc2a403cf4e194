"""The page of the cookbook that needs Hydra and MLflow."""

from pathlib import Path

from docs_session import ROOT, run


def test_every_block_of_the_page_runs(tmp_path: Path) -> None:
    """The sweep runs, and the weights of its best run are drawn again from MLflow's record."""
    done = run(tmp_path, str(ROOT / "docs" / "cookbook" / "hydra-mlflow.md"))

    assert done.returncode == 0, done.stderr
