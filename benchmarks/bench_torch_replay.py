"""fanin.compat.torch's Generator against the torch whose numbers it replays: `python -m benchmarks.bench_torch_replay`.

Both in one process, taking turns, on one core and on all that there are; torch draws on one core always. The arrays
that they make are compared too. Last come rows 900,000 to 900,100 of a (10**6, 64) draw, which torch can only make with
all rows before them.
"""

import argparse
import os
import time

import numpy as np
import torch

import fanin
import fanin.compat.torch as replay

from .timing import best_times

DTYPES = {"float32": np.float32, "float64": np.float64, "float16": np.float16}
PART = slice(900_000, 900_100)
WHOLE = (10**6, 64)


def row(name, dtype, n):
    array, tensor = np.empty(n, DTYPES[dtype]), torch.empty(n, dtype=getattr(torch, dtype))
    ours, theirs = getattr(replay, name), getattr(torch.nn.init, name)
    generator, own = replay.Generator(), torch.Generator()

    def all_cores():
        ours(array, generator=generator)

    def one_core():
        fanin.set_threading("none")
        all_cores()
        fanin.set_threading("own")

    best = best_times({"one": one_core, "all": all_cores, "torch": lambda: theirs(tensor, generator=own)}, turns=15,
                      budget=3)
    ours(array, generator=generator.manual_seed(1))
    equal = (array == theirs(tensor, generator=own.manual_seed(1)).numpy()).all()
    speeds = " | ".join(f"{n / best[side] / 1e6:.0f}" for side in ("one", "all", "torch"))
    return (f"| {name} | {dtype} | {speeds} | {best['torch'] / best['one']:.1f} | {best['one'] / best['all']:.2f} | "
            f"{'equal' if equal else 'DIFFERENT'} |")


def part_row():
    rows = np.empty((100, 64), np.float32)
    replay.normal_(rows, generator=replay.Generator().manual_seed(0), index=slice(0, 100), shape=WHOLE)  # compiles
    replay.Generator().skip(2**26)  # finds the powers of the jump
    seconds = []
    for seed in range(5):
        start = time.perf_counter()
        replay.normal_(rows, generator=replay.Generator().manual_seed(seed), index=PART, shape=WHOLE)
        seconds.append(time.perf_counter() - start)
    whole = torch.empty(WHOLE).normal_(generator=torch.Generator().manual_seed(4))
    equal = (rows == whole[PART].numpy()).all()
    verdict = "equal" if equal else "DIFFERENT"
    return f"rows 900,000 to 900,100 of (10**6, 64) alone: {min(seconds) * 1e3:.1f} ms, {verdict}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=2**25, help="numbers of a draw")
    n = parser.parse_args().n
    torch.set_num_threads(1)
    fanin.set_threading("own")
    print(f"torch {torch.__version__} ({torch.backends.cpu.get_cpu_capability()}), numpy {np.__version__}, "
          f"{len(os.sched_getaffinity(0))} cores, 2**{np.log2(n):.0f} numbers\n")
    print("| function | dtype | one core, M/s | all cores, M/s | torch, M/s | times torch | all, times one | bits |\n"
          "|---|---|---|---|---|---|---|---|")
    for dtype in DTYPES:
        for name in ("uniform_", "normal_"):
            print(row(name, dtype, n if dtype == "float32" else n // 4), flush=True)
    print(f"\n{part_row()}")


if __name__ == "__main__":
    main()
