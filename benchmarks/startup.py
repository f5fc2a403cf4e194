"""Section `startup`: fresh processes, with and without compiled kernels on disk."""

import os
import subprocess
import sys
import tempfile
import time

from .libraries import jax, torch
from .tables import table

FIRST = {
    "Uniform": "fanin.Uniform()((512, 256), seed=0)",
    "Normal": "fanin.Normal()((512, 256), seed=0)",
    "he_normal": "fanin.Registry.get('he_normal')((512, 256), seed=0)",
    "Sparse": "fanin.Sparse(0.9)((512, 256), seed=0)",
    "Orthogonal": "fanin.Orthogonal()((512, 256), seed=0)",
}


def measure(settings):
    """{label: seconds} of whole processes."""
    turns = 1 if settings.quick else 4
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NUMBA_CACHE_DIR": f"{folder}/numba", "PYTHONPYCACHEPREFIX": f"{folder}/pyc"}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)

        def seconds(code):
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True, env=environment)
            return time.perf_counter() - start

        def best(code):
            return min(seconds(code) for _ in range(turns + 1))

        # Python's own compilation of the modules, which pip does when it installs them
        subprocess.run([sys.executable, "-c", f"import fanin; {FIRST['Uniform']}"], check=True,
                       env={**environment, "NUMBA_CACHE_DIR": f"{folder}/other"})
        results = {"interpreter": best("pass")}
        for module in ("numpy", "fanin", "numba"):
            results[f"import {module}"] = best(f"import {module}")
        for name, call in list(FIRST.items())[:2 if settings.quick else None]:
            code = f"import fanin; {call}"
            results[f"first call of {name}, which compiles"] = seconds(code)
            results[f"first call of {name}, compiled code on disk"] = best(code)
        if torch is not None:
            results["first call of torch"] = best("import torch; torch.empty(512, 256).normal_()")
        if jax is not None:
            results["first call of JAX"] = best(
                "import jax; jax.random.normal(jax.random.key(0), (512, 256)).block_until_ready()")
    return results


def tables(results):
    return table(["a fresh process, from its start", "seconds"], list(results.items()))
