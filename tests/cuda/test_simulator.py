"""The CUDA backend under numba's simulator: kernels run thread by thread in Python, in a process of their own.

The simulator has to be chosen before numba.cuda is imported, so the tests of tests/simulator, and the golden hashes
of every preset and dtype, run in a second pytest.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RUNS = {
    "kernels": (["tests/simulator"], 300),
    "golden hashes": (["tests/test_golden.py", "--device", "cuda", "-k", "test_bits and cuda"], 150),
}


@pytest.mark.parametrize("run", RUNS)
def test_under_the_simulator(run):
    """Every scheme, dtype and edge shape gives the CPU's bits."""
    arguments, least = RUNS[run]
    done = subprocess.run([sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments], cwd=ROOT,
                          env=os.environ | {"NUMBA_ENABLE_CUDASIM": "1"}, capture_output=True, text=True, timeout=600)

    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert int(re.search(r"(\d+) passed", done.stdout)[1]) >= least
