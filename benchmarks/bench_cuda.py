"""Speed of filling arrays on a GPU: this library, torch, CuPy (cuRAND) and JAX in one run, beside a copy on the device.

    python benchmarks/bench_cuda.py [--log2 28] [--device 0]

The peers that are installed and see the GPU are measured; without one that fanin can use it says why, and exits 1.
"""

import argparse
import importlib
import os
import platform
import sys
import time
from importlib.metadata import PackageNotFoundError, version

import numpy as np

import fanin

ROUNDS = 5
BATCH = 0.05  # seconds of work between two looks at the clock, so that launches and the clock don't count


def load(device):
    """{name: module} of the peers that are installed and see this GPU."""
    os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")  # JAX takes most of the memory otherwise
    sees = {
        "torch": lambda torch: torch.cuda.device_count() > device,
        "cupy": lambda cupy: cupy.cuda.runtime.getDeviceCount() > device,
        "jax": lambda jax: len(jax.devices("gpu")) > device,
    }
    found = {}
    for name, is_usable in sees.items():
        try:
            module = importlib.import_module(name)
            if is_usable(module):
                found[name] = module
        except (ImportError, RuntimeError) as error:  # not installed, or built without CUDA
            print(f"{name} is left out: {str(error).splitlines()[0]}", file=sys.stderr)
    return found


def best_times(works, synchronize):
    """Seconds of one call in the fastest of several batches, for each callable; they take turns.

    Launches return at once, so a batch begins and ends with a wait for all that the device has to do, on any stream.
    """
    best, counts = dict.fromkeys(works, float("inf")), {}
    for name, work in works.items():
        work()  # compiles
        synchronize()
        start = time.perf_counter()
        work()
        synchronize()
        counts[name] = max(1, min(10_000, int(BATCH / (time.perf_counter() - start))))
    for _ in range(ROUNDS):
        for name, work in works.items():
            synchronize()
            start = time.perf_counter()
            for _ in range(counts[name]):
                work()
            synchronize()
            best[name] = min(best[name], (time.perf_counter() - start) / counts[name])
    return best


def jax_work(jax, device, sampler, n, dtype):
    """A compiled draw into a new array: JAX has no other. It waits, for no other library sees JAX's streams."""
    key = jax.device_put(jax.random.key(1), jax.devices("gpu")[device])
    draw = jax.jit(lambda key: sampler(jax.random)(key, (n,), dtype))
    return lambda: draw(key).block_until_ready()


def fills(n, device, peers):
    """(label, numbers, bytes of a number, {library: work}) for each row."""
    from numba import cuda

    torch, cupy, jax = (peers.get(name) for name in ("torch", "cupy", "jax"))
    state = cupy.random.RandomState(1) if cupy else None
    uniform, normal, cut = fanin.Uniform(-0.05, 0.05), fanin.Normal(0.0, 0.02), fanin.TruncatedNormal(0.0, 0.02)
    he = fanin.Registry.get("he_normal")

    def row(label, scheme, dtype, count, torch_draw=None, cupy_draw=None, jax_draw=None):
        numpy_dtype = "uint16" if dtype == "bfloat16" else dtype
        tensor = torch.empty(count, dtype=getattr(torch, dtype), device=f"cuda:{device}") if torch else None
        # fanin fills an array of torch's if it can, else one of CuPy's or numba's own
        out = tensor if torch else cupy.empty(count, numpy_dtype) if cupy else cuda.device_array(count, numpy_dtype)
        works = {}
        if torch or dtype != "bfloat16":
            out = out.reshape(-1, 1024)
            works["fanin"] = lambda: scheme(tuple(out.shape), out=out, seed=1, name="w")
        if torch and torch_draw:
            works["torch"] = lambda: torch_draw(tensor)
        if cupy and cupy_draw:
            works["cupy"] = lambda: cupy_draw(count)
        if jax and jax_draw:
            works["jax"] = jax_work(jax, device, jax_draw, count, dtype)
        return label, count, np.dtype(numpy_dtype).itemsize, works

    yield row("Constant, float32", fanin.Constant(1.0), "float32", n, lambda t: t.fill_(1.0))
    yield row("Uniform, float32", uniform, "float32", n, lambda t: t.uniform_(-0.05, 0.05),
              lambda c: state.random_sample(c, np.float32), lambda r: r.uniform)
    yield row("Normal, float32", normal, "float32", n, lambda t: t.normal_(0.0, 0.02),
              lambda c: state.standard_normal(c, np.float32), lambda r: r.normal)
    yield row("Normal, bfloat16", normal, "bfloat16", n, lambda t: t.normal_(0.0, 0.02), None, lambda r: r.normal)
    yield row("Normal, float64", normal, "float64", n // 2, lambda t: t.normal_(0.0, 0.02),
              lambda c: state.standard_normal(c, np.float64))
    yield row("TruncatedNormal ±2 std, float32", cut, "float32", n,
              lambda t: torch.nn.init.trunc_normal_(t, 0.0, 0.02, -0.04, 0.04), None,
              lambda r: lambda key, shape, dtype: r.truncated_normal(key, -2.0, 2.0, shape, dtype))
    yield row("he_normal, float32", he, "float32", n)
    yield row("Sparse 0.9, float32", fanin.Sparse(0.9), "float32", n)
    yield row("Uniform, float32, 64 KiB", uniform, "float32", 2**14, lambda t: t.uniform_(-0.05, 0.05),
              lambda c: state.random_sample(c, np.float32), lambda r: r.uniform)


def copy_rate(n):
    """Bytes a second, read and written, of a copy on the device: what its memory gives."""
    from numba import cuda

    source, target = cuda.to_device(np.zeros(n, np.float32)), cuda.device_array(n, np.float32)
    seconds = best_times({"copy": lambda: target.copy_to_device(source)}, cuda.synchronize)["copy"]
    return 2 * 4 * n / seconds


def versions():
    for package in ("fanin", "numba-cuda", "numpy", "torch", "cupy-cuda13x", "cupy-cuda12x", "jax"):
        try:
            yield f"{package} {version(package)}"
        except PackageNotFoundError:
            continue


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--log2", type=int, default=28,
                        help="the binary logarithm of the number of elements, at least 11 (default 28)")
    parser.add_argument("--device", type=int, default=0, help="the GPU's number (default 0)")
    arguments = parser.parse_args()
    if arguments.log2 < 11 or arguments.device < 0:
        parser.error("--log2 must be at least 11, --device at least 0")
    try:
        fanin.Uniform()(1, device=f"cuda:{arguments.device}", seed=0)
    except fanin.FaninError as error:
        sys.exit(f"bench_cuda: {error}")

    from numba import cuda

    from fanin._backends import cuda as backend

    n, columns = 2**arguments.log2, ("fanin", "torch", "cupy", "jax")
    peers = load(arguments.device)
    with cuda.gpus[arguments.device]:
        if "torch" in peers:
            peers["torch"].cuda.set_device(arguments.device)
        if "cupy" in peers:
            peers["cupy"].cuda.Device(arguments.device).use()
        print(f"{dict(backend.devices())[f'cuda:{arguments.device}']}; Python {platform.python_version()}, "
              f"{', '.join(versions())}; n = 2**{arguments.log2}; best of {ROUNDS}\n")
        limit = copy_rate(n)
        print(f"A copy on the device moves {limit / 1e9:.0f} GB/s, read and written.\n")
        print("| G elements/s | " + " | ".join(columns) + " | fanin GB/s | of the copy | fanin / torch |")
        print("|---|" + "---|" * (len(columns) + 3))
        for label, numbers, size, works in fills(n, arguments.device, peers):
            rates = {name: numbers / seconds / 1e9 for name, seconds in best_times(works, cuda.synchronize).items()}
            cells = [f"{rates[name]:.2f}" if name in rates else "" for name in columns]
            written = rates.get("fanin", 0.0) * size
            cells += [f"{written:.0f}", f"{written * 1e9 / limit:.2f}"] if written else ["", ""]
            cells.append(f"{rates['fanin'] / rates['torch']:.2f}" if {"fanin", "torch"} <= rates.keys() else "")
            print(f"| {label} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
