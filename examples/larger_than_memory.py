"""Write a tensor that is larger than the memory this process may have, and check what was written. Linux.

    pip install 'fanin[dask]'
    python examples/larger_than_memory.py --gib 16 --memory-mib 512 --out embedding

Each task draws one chunk and writes it; nothing holds more than a chunk for each of Dask's threads. Run as often as you
like, with chunks of any size, on threads, processes or a cluster (see dask.distributed): the files hold the same bits.
"""

import argparse
import re
import resource
import time
from pathlib import Path

import dask
import dask.array as da

import fanin.dask

CHUNK = 32 * 2**20  # bytes
COLUMNS = 4096


def allow(mebibytes):
    """From here on this process may allocate so much beside what it has: more raises MemoryError."""
    used = int(re.search(r"VmData:\s*(\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024
    resource.setrlimit(resource.RLIMIT_DATA, (used + mebibytes * 2**20,) * 2)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--gib", type=float, default=4.0, help="size of the tensor")
    parser.add_argument("--memory-mib", type=int, default=256, help="memory that this process may allocate")
    parser.add_argument("--out", type=Path, required=True, help="folder for the .npy files, one for each chunk")
    arguments = parser.parse_args()

    dask.config.set(scheduler="threads", num_workers=2)
    init = fanin.Registry.get("normal", std=0.02)
    shape = (int(arguments.gib * 2**30 / 4 / COLUMNS), COLUMNS)
    parameter = {"seed": 0, "name": "embedding.weight"}
    rows = CHUNK // 4 // COLUMNS
    tensor = fanin.dask.array(init, shape, (rows, -1), **parameter)
    again = fanin.dask.array(init, shape, (rows // 4, COLUMNS // 2), **parameter)
    for each in (tensor, again):
        each.blocks[0, 0].compute()  # compiled code and Dask's threads are there before memory is counted

    allow(arguments.memory_mib)
    try:
        init(shape, **parameter)
        print("the whole tensor fits into memory")
    except MemoryError as error:
        print(f"the whole tensor: {type(error).__name__}: {error}")

    start = time.perf_counter()
    da.to_npy_stack(arguments.out, tensor)
    seconds = time.perf_counter() - start
    print(f"wrote {tensor.nbytes / 2**20:.0f} MiB in {tensor.npartitions} files, {seconds:.1f} s, with "
          f"{arguments.memory_mib} MiB of memory")

    # From now on it is data like any other: mapped files, here held to the scheme, drawn again in smaller chunks.
    stored = da.from_npy_stack(arguments.out)
    equal, largest = dask.compute((stored == again.rechunk(stored.chunks)).all(), stored.max())
    print(f"the files hold the scheme's bits: {equal}; largest value {largest:.4f}")


if __name__ == "__main__":
    main()
