"""The direction of imports, read with ast: a file imports only from a lower level, or from its own folder."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import fanin

PACKAGE = Path(fanin.__file__).parent

# The first part of a module's name below `fanin` -> its level.
LEVELS = {
    "_errors": 0,
    "_version": 0,
    "_callers": 1,
    "_checks": 1,
    "_graphs": 1,
    "_json": 1,
    "_namespace": 1,
    "_terminal": 1,
    "_dtypes": 2,
    "_gains": 2,
    "_kernels": 2,
    "_report": 2,
    "_seeding": 2,
    "_signal": 3,
    "_types": 3,
    "_plans": 4,
    "math": 4,
    "_backends": 5,
    "_drawing": 6,
    "_initializers": 7,
    "stream": 7,
    "_catalogue": 8,
    "compat": 8,
    "rules": 8,
    "dask": 9,
    "jax": 9,
    "torch": 9,
    "checkpoint": 10,
    "keras": 10,  # whose backends torch and jax are
    "_audit": 11,
    "_commands": 12,
    "cli": 13,
    "__init__": 14,
    "__main__": 14,
}
HEAVY = {"numba", "llvmlite", "torch", "jax", "jaxlib", "keras", "dask", "onnx", "cupy", "rich", "scipy", "ml_dtypes"}
NUMBA_FILES = {"_kernels/device.py", "_backends/compile.py", "_backends/cpu.py", "_backends/layer.py",
               "_backends/sharing.py", "_backends/cuda/devices.py", "_backends/cuda/launch.py",
               "_backends/cuda/memory.py", "_backends/cuda/variants.py"}
MAX_LINES = 400

# What the scalar functions may import, for their annotations too; and the files of _kernels/ that prepare functions on
# the host, with what that takes.
SCALAR = {"__future__", "collections", "numpy", "typing"}
HOST_SIDE = {
    "device.py": {"ctypes", "functools", "llvmlite", "math", "numba", "struct", "threading"},
    "fingerprint.py": {"builtins", "dis", "functools", "hashlib", "itertools", "sys", "types"},
    "literals.py": {"builtins", "dis", "functools", "types"},
    "compiled_types.py": {"functools", "types"},
    "samplers.py": {"types"},
    "tables.py": {"math"},
}

FILES = sorted(PACKAGE.rglob("*.py"))
IDS = [path.relative_to(PACKAGE).as_posix() for path in FILES]


def module_name(path):
    """`_kernels/philox.py` -> ("_kernels", "philox"); a package is named by its folder, the root by `__init__`."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts


def resolve(parts):
    """The module that a dotted name below `fanin` means: the longest prefix that is a file or a folder."""
    for end in range(len(parts), 0, -1):
        place = PACKAGE.joinpath(*parts[:end])
        if place.is_dir() or place.with_suffix(".py").is_file():
            return tuple(parts[:end])
    return ("__init__",)


def imports(path, toplevel_only=False):
    """(outside, inside): top-level names of other distributions, and the modules of fanin that a file imports."""
    folder = path.relative_to(PACKAGE).parent.parts
    tree = ast.parse(path.read_text("utf-8"))
    outside, inside = set(), set()
    for node in tree.body if toplevel_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [(alias.name.split("."), 0) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = node.module.split(".") if node.module else []
            names = [([*module, alias.name], node.level) for alias in node.names]
        else:
            continue
        for parts, level in names:
            if level:
                base = folder[: len(folder) - level + 1]
                inside.add(resolve((*base, *parts)))
            elif parts[0] == "fanin":
                inside.add(resolve(tuple(parts[1:])))
            else:
                outside.add(parts[0])
    return outside, inside - {module_name(path)}


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_a_file_imports_only_from_lower_levels(path):
    """An import goes down the table of levels, or stays inside its own folder."""
    own = module_name(path)[0]
    _, inside = imports(path)

    upward = {".".join(module) for module in inside if module[0] != own and LEVELS[module[0]] >= LEVELS[own]}

    assert upward - {"_types"} == set()


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_names_of_types_are_imported_for_type_checkers_only(path):
    """_types.py, which names what arguments may be, is not loaded when fanin runs; so it has no level to keep."""
    assert ("_types",) not in imports(path, toplevel_only=True)[1]


def test_every_file_has_a_level():
    """A new top-level module is put on the table, not past it."""
    assert {module_name(path)[0] for path in FILES} <= set(LEVELS)


def test_imports_at_the_top_of_files_form_no_cycle():
    """No two files import each other, directly or through others."""
    graph = {module_name(path): imports(path, toplevel_only=True)[1] for path in FILES}

    TopologicalSorter(graph).prepare()  # raises CycleError


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_only_the_target_files_import_numba(path):
    """Targets are named where functions are registered and where loops are compiled, nowhere else."""
    outside, _ = imports(path)

    assert path.relative_to(PACKAGE).as_posix() in NUMBA_FILES or not outside & {"numba", "llvmlite"}


@pytest.mark.parametrize("path", [path for path in FILES if module_name(path)[0] == "_kernels"], ids=lambda p: p.name)
def test_kernels_import_numpy_and_kernels_only(path):
    """The scalar functions know nothing of plans, arrays or devices; what users call may raise fanin's errors."""
    outside, inside = imports(path)

    assert outside <= SCALAR | HOST_SIDE.get(path.name, set())
    assert {module[0] for module in inside} <= {"_kernels", "_errors"}


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_no_file_is_long(path):
    """A file fits on a few screens."""
    assert len(path.read_text("utf-8").splitlines()) <= MAX_LINES


def loaded_by(statement):
    code = f"import sys; {statement}; print(*sorted({{name.split('.')[0] for name in sys.modules}}))"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


@pytest.mark.parametrize("statement", [
    "import fanin",
    "import fanin; fanin.Registry.get('he_normal').describe((512, 256))",
    "import fanin.cli",
])
def test_importing_and_describing_loads_nothing_heavy(statement):
    """Names, schemes and plans need numpy alone; compilers and frameworks load with the first draw."""
    assert loaded_by(statement) & HEAVY == set()
