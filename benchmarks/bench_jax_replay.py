"""fanin.compat.jax against the JAX whose numbers it replays: `python -m benchmarks.bench_jax_replay [log2 of n]`.

Both on one core, in one process, taking turns: JAX jitted and warmed up, its thread pool off. The arrays that they make
are compared too.
"""

import os
import sys

CORE = min(os.sched_getaffinity(0))
os.sched_setaffinity(0, {CORE})  # before either side counts the cores
os.environ["NUMBA_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"

import jax  # noqa: E402
import numpy as np  # noqa: E402

from fanin.compat import jax as replay  # noqa: E402

from .timing import best_times  # noqa: E402

INITIALIZERS = {
    "uniform": ("uniform", ()), "normal": ("normal", ()), "truncated_normal": ("truncated_normal", ()),
    "truncated_normal [-1, 3]": ("truncated_normal", (1.0, None, -1.0, 3.0)), "he_uniform": ("he_uniform", ()),
    "he_normal": ("he_normal", ()), "orthogonal": ("orthogonal", ()),
}


def ulps(x, y):
    """The largest distance of elements, in float32 numbers."""
    order = [np.where(bits < 0, -(bits & 0x7FFFFFFF), bits)
             for bits in (np.asarray(a).view(np.int32).astype(np.int64) for a in (x, y))]
    return int(np.abs(order[0] - order[1]).max())


def row(label, name, args, shape, partitionable):
    ours, theirs = getattr(replay, name)(*args), getattr(jax.nn.initializers, name)(*args)
    own_key, key = replay.key(1, partitionable=partitionable), jax.random.key(1)
    compiled = jax.jit(lambda k: theirs(k, shape))
    best = best_times({"fanin": lambda: ours(own_key, shape), "jax": lambda: compiled(key).block_until_ready()})
    found, expected, n = ours(own_key, shape), theirs(key, shape), np.prod(shape)
    apart = f"{np.abs(found - expected).max():.0e}" if name == "orthogonal" else f"{ulps(found, expected)} ulp"
    layout = "partitionable" if partitionable else "original"
    return (f"| {label} | {layout} | {shape[0]} x {shape[1]} | {n / best['fanin'] / 1e6:.0f} | "
            f"{n / best['jax'] / 1e6:.0f} | {best['jax'] / best['fanin']:.1f} | {apart} |")


def main():
    exponent = int(sys.argv[1]) if len(sys.argv) > 1 else 24
    large = (2**(exponent // 2), 2**(exponent - exponent // 2))
    print(f"JAX {jax.__version__}, numpy {np.__version__}, one core, float32\n")
    print("| initializer | layout | shape | fanin, M/s | JAX, M/s | times JAX | apart |")
    print("|---|---|---|---|---|---|---|")
    for partitionable in (True, False):
        jax.config.update("jax_threefry_partitionable", partitionable)
        for label, (name, args) in INITIALIZERS.items():
            for shape in ((64, 64), (512, 512) if name == "orthogonal" else large):
                print(row(label, name, args, shape, partitionable), flush=True)


if __name__ == "__main__":
    main()
