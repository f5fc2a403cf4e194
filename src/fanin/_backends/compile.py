"""What compiles the loops with numba for this machine's processor, and keeps the compiled code on disk."""

from __future__ import annotations

import functools
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numba
from llvmlite import ir
from numba.core import cgutils, types
from numba.core.caching import IndexDataCacheFile, NullCache
from numba.extending import intrinsic

from .. import _kernels
from .._callers import warn
from .._kernels.device import register_cpu
from . import loops
from .interrupts import forks_wait_for, uninterrupted

if TYPE_CHECKING:
    from collections.abc import Callable

register_cpu()

# A child could never take it, if it was forked while another thread held it: of threads it has its own alone.
forks_wait_for(numba.core.compiler_lock.global_compiler_lock)


@intrinsic
def align_stack(_context: Any) -> Any:
    """Align the frame of the function that holds the hot loop to 64 bytes.

    LLVM spills some vector constants and doesn't realign the stack for them: where the frame happens to lie across
    cache lines the loop loses up to a quarter of its speed. (llvmlite prints attributes only where there is a plain
    one.)
    """
    def generate(context: Any, builder: Any, _signature: Any, _arguments: Any) -> Any:
        builder.function.attributes.add("nounwind")
        builder.function.attributes.alignstack = 64
        return context.get_dummy_value()

    return types.none(), generate


@intrinsic
def _stack_words(_context: Any) -> Any:
    """The address of room for a group's words on the stack, as pairs and as single words."""
    def generate(_context: Any, builder: Any, _signature: Any, _arguments: Any) -> Any:
        room = cgutils.alloca_once(builder, ir.ArrayType(ir.IntType(64), 2 * loops.GROUP))
        room.align = 64
        pointers = [builder.bitcast(room, ir.IntType(width).as_pointer()) for width in (64, 32)]
        return cgutils.pack_struct(builder, pointers)

    pointers = [types.CPointer(word) for word in (types.uint64, types.uint32)]  # type: ignore[attr-defined]
    return types.Tuple(pointers)(), generate  # type: ignore[attr-defined]


# numba's default error model tests every division for zero, which keeps a loop from being vectorized
jit = numba.njit(nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
inline = numba.njit(nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True, forceinline=True)


@inline
def scratch() -> Any:
    """loops.scratch for numbers of 4 bytes and less."""
    pairs, words = _stack_words()
    return numba.carray(pairs, 2 * loops.GROUP), numba.carray(words, 4 * loops.GROUP)


@inline
def scratch_wide() -> Any:
    """loops.scratch for numbers of 8 bytes: each is made of a pair."""
    pairs, _ = _stack_words()
    return numba.carray(pairs, 2 * loops.GROUP), numba.carray(pairs, 2 * loops.GROUP)


def compile_loop(loop: Callable[..., None], parallel: bool = False) -> Any:
    """The loop compiled, in code that other processes find on disk."""
    options = {"nogil": True, "error_model": "numpy", "parallel": parallel}
    try:
        compiled = numba.njit(**options, cache=True)(loop)
        cache = compiled._cache
        cache._cache_file = FilesByKey(cache.cache_path, cache._impl.filename_base, cache._cache_file._source_stamp)
        return compiled
    except RuntimeError:  # numba finds no folder to keep compiled code in
        _warn_uncached()
        return numba.njit(**options)(loop)


class FilesByKey(IndexDataCacheFile):
    """numba's files of compiled code, each named by what it was compiled for.

    numba numbers them. Two processes that compile one loop for two types at once give both the same number, and the
    code of one type is then run for the other: wrong draws, and for good.
    """

    def save(self, key: Any, data: Any) -> None:
        """Keep the code first, and name it in the index then: who finds it there can load it."""
        name = self._data_name_pattern.format(number=int(hashlib.sha256(repr(key).encode()).hexdigest()[:15], 16))
        self._save_data(name, data)
        self._save_index(self._load_index() | {key: name})


@functools.cache
def _warn_uncached() -> None:
    warn("fanin compiles its loops anew in each process, because no folder for compiled code can be written: "
         "set NUMBA_CACHE_DIR to one that can", RuntimeWarning)


def ready(kernel: Any, *nothing: Any) -> None:
    """Compile a kernel by a call that has nothing to fill, before other threads need it."""
    if not kernel.overloads:
        compile_by(kernel, *nothing)


def compile_by(kernel: Any, *nothing: Any) -> None:
    """Compile a kernel for arguments of these types by a call that has nothing to fill."""
    with uninterrupted():
        try:
            kernel(*nothing)
        except ImportError:  # kept by another process for a sampler of a module that isn't here: it came by value
            kernel._cache = NullCache()
            kernel(*nothing)
        except OSError:  # a full disk, say: the code was made, and can't be kept
            if not kernel.overloads:
                raise
            _warn_uncached()


@functools.cache
def sources(*folders: Path) -> str:
    """A digest of the files that compiled code is made from: numba's own cache doesn't see edits in other files.

    Those of _kernels/ and _backends/, and of `folders` with loops of their own.
    """
    digest = hashlib.blake2b(digest_size=8)
    for folder in (Path(_kernels.__file__).parent, Path(__file__).parent, *folders):
        for path in sorted(folder.glob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()
