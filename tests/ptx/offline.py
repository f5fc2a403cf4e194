"""Kernels compiled where there is neither a GPU nor its driver: numba-cuda's PTX, and the machine code of ptxas.

A kernel is typed and lowered once, and NVVM makes the PTX of each architecture from that: what `cuda.jit(lto=False)`
does for the device that it finds. numba-cuda's parts are private, and its version pinned.
"""

import re
import subprocess
import warnings
from collections import Counter
from types import SimpleNamespace
from typing import NamedTuple
from unittest import mock

import numpy as np
from cuda.pathfinder import find_nvidia_binary_utility
from numba.cuda import compiler, dispatcher, types

ARCHITECTURES = [(7, 5), (8, 0), (9, 0), (10, 0)]
SPILLS = re.compile(r"(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads")
OPCODE = re.compile(r"\*/\s+(?:@!?U?P\w+ )?([A-Z][\w.]*)")  # after its address and its predicate
RESOURCES = re.compile(r"Function properties for (?P<name>\w+)\s+(?P<spills>[^\n]*)\nptxas info\s+: Used "
                       r"(?P<registers>\d+) registers")


def lower(function, signature):
    """numba-cuda's library of one kernel, not yet for any architecture."""
    device = SimpleNamespace(compute_capability=ARCHITECTURES[0])
    with mock.patch.object(dispatcher, "get_current_device", lambda: device), warnings.catch_warnings():
        library, _ = compiler._compile_pyfunc_with_fixup(function, signature, device=False, abi="numba", lto=False,
                                                         cc=device.compute_capability)
    return library


def ptx(library, architecture, name):
    """The kernel's PTX, under a short name, and without the environments of numba's that nothing refers to."""
    text = library.get_asm_str(cc=architecture)
    text = text.replace(library._entry_name, name)
    used = [line for line in text.splitlines() if "NumbaEnv" not in line]
    return "\n".join(used) + "\n"


def flatten(kind, value):
    """A Python argument as numpy scalars, one per parameter of the kernel."""
    if isinstance(kind, types.BaseTuple):
        return [leaf for inner, part in zip(kind, value, strict=True) for leaf in flatten(inner, part)]
    if kind == types.boolean:
        return [np.uint8(value)]
    return [np.dtype(kind.name).type(value)]


class Assembled(NamedTuple):
    """What ptxas made of a kernel."""

    registers: int
    stack: int
    spills: int
    instructions: Counter  # opcode, without what follows its first dot -> how often it stands in the code
    code: str


def merge(texts):
    """Kernels of one architecture as one module, which saves ptxas a start for each."""
    head = texts[0].partition(".visible")[0]
    return head + "".join(text[len(text.partition(".visible")[0]):] for text in texts)


def assemble(module, architecture, folder, fuse):
    """{kernel: Assembled} for a module, with ptxas free to fuse multiplications and additions, or not."""
    chip = "sm_{}{}".format(*architecture)
    stem = folder / f"{chip}-{fuse}"
    source, cubin = stem.with_suffix(".ptx"), stem.with_suffix(".cubin")
    source.write_text(module)
    made = subprocess.run([find_nvidia_binary_utility("ptxas"), "-v", f"-arch={chip}", f"-fmad={str(fuse).lower()}",
                           source, "-o", cubin], capture_output=True, text=True)
    if made.returncode:
        raise RuntimeError(made.stderr)
    listing = subprocess.run([find_nvidia_binary_utility("nvdisasm"), "-c", cubin], capture_output=True, text=True,
                             check=True).stdout
    code = {name: text for name, text in re.findall(r"\.text\.(\w+):\n(.*?)(?=\n\s*\.section|\Z)", listing, re.DOTALL)}
    found = {}
    for match in RESOURCES.finditer(made.stderr):
        stack, stores, loads = map(int, SPILLS.fullmatch(match["spills"].strip()).groups())
        text = code[match["name"]]
        opcodes = Counter(opcode.partition(".")[0] for opcode in OPCODE.findall(text))
        found[match["name"]] = Assembled(int(match["registers"]), stack, stores + loads, opcodes, text)
    return found
