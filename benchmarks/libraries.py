"""What is compared, as far as it is installed, and what it runs on."""

import importlib
import os
import platform
from pathlib import Path

import numba
import numpy as np

import fanin

from . import mkl

NAMES = ("fanin", "torch", "numpy", "jax", "mkl")


def _optional(name):
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


torch, jax = _optional("torch"), _optional("jax")
MKL = mkl.load()
FOUND = {"fanin": fanin, "numba": numba, "torch": torch, "numpy": np, "jax": jax, "mkl": MKL}


def scheme_work(scheme, out, name="w"):
    """A draw into a ready array, through the front door."""
    shape = tuple(out.shape)
    return lambda: scheme(shape, out=out, seed=1, name=name)


def jax_work(draw):
    """A compiled draw of JAX, which always makes a new array."""
    key, compiled = jax.random.key(1), jax.jit(draw)
    return lambda: compiled(key).block_until_ready()


def machine():
    """A line about the processor and the versions, and one for each library that is missing."""
    versions = ", ".join(f"{name} {module.__version__}" for name, module in FOUND.items() if module is not None)
    lines = [f"{_processor()}; {os.cpu_count()} cores; {_instruction_set()}; {platform.system()}; Python "
             f"{platform.python_version()}, {versions}."]
    missing = [name for name, module in FOUND.items() if module is None]
    if missing:
        lines.append(f"Not installed, and so without figures: {', '.join(missing)}.")
    return lines


def _processor():
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    field = dict(line.split(":", 1) for line in reversed(lines) if ":" in line)
    field = {name.strip(): value.strip() for name, value in field.items()}
    if "model name" not in field:
        return platform.machine()
    return f"{field['model name']} (family {field.get('cpu family')}, model {field.get('model')})"


def _instruction_set():
    """What numba compiles for: its processor's name, and the widest vectors that it uses."""
    import llvmlite.binding as llvm

    features = llvm.get_host_cpu_features()
    widest = next((name for name in ("avx512f", "avx2", "sse2", "sve", "neon") if features.get(name)), "scalar")
    return f"{llvm.get_host_cpu_name()} with {widest}"
