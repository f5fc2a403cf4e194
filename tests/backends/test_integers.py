"""Integers stay integers in compiled loops: numba compares signed ones with unsigned ones as float64, with 53 bits."""

import os
import subprocess
import sys

PROGRAM = """
import gc
import re
import fanin
from numba.core.registry import CPUDispatcher

for scheme in (fanin.Uniform(), fanin.Normal(), fanin.TruncatedNormal(), fanin.Sparse(0.5, axis=1)):
    for dtype in ("float32", "bfloat16"):
        scheme((64, 64), dtype, seed=0, name="w")
        scheme.shard((64, 64, 64), (slice(None), slice(3), slice(5)), dtype, seed=0, name="w")

looked_at, found = set(), set()
for function in gc.get_objects():
    if isinstance(function, CPUDispatcher) and function.py_func.__globals__["__name__"].startswith("fanin"):
        looked_at.add(function.py_func.__name__.partition("-")[0])
        for types in function.signatures:
            lines = function.inspect_llvm(types).splitlines()
            found |= {(function.py_func.__name__, line.strip()) for line in lines
                      if re.search(r"[us]itofp .* to double|fcmp .* double", line)}
print(sorted(found), {"run", "run_words", "fill_strided", "list_blocks", "scatter", "clear_columns"} - looked_at)
"""


def test_no_integer_becomes_a_float64(tmp_path):
    """The loops for numbers of 4 bytes and less, which compute in float32, convert no integer to float64."""
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=500,
                          env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)})  # code from a cache has no text

    assert done.stdout == "[] set()\n", done.stdout[-2000:] + done.stderr[-2000:]
