"""deepspeed's ZeRO-3 on two processes."""

import os
import subprocess
import sys
from pathlib import Path


def start(rank, folder):
    worker = Path(__file__).with_name("zero3_worker.py")
    return subprocess.Popen(
        [sys.executable, worker, str(rank), "2", folder], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=os.environ | {"DS_ACCELERATOR": "cpu", "RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_RANK": str(rank)})


def test_parameters_that_are_split(tmp_path):
    """Refused by name, with nothing written; gathered, layer by layer, they have the bits of the plain module."""
    ranks = [start(rank, tmp_path) for rank in range(2)]
    said = [rank.communicate(timeout=300)[0] for rank in ranks]
    assert [rank.returncode for rank in ranks] == [0, 0], "\n".join(said)
    assert sorted(path.name for path in tmp_path.glob("passed*")) == ["passed0", "passed1"]
