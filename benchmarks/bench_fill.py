"""Speed of filling arrays: this library, torch and numpy, in one run. `python benchmarks/bench_fill.py [--log2 26]`."""

import argparse
import os
import platform
import subprocess
import sys
import tempfile
import time

import numba
import numpy as np
import threadpoolctl
import torch

import fanin

ROUNDS = 5


def best_times(works):
    """Seconds of the fastest of several rounds for each callable; they take turns, so all meet the same machine.

    A first round, which also compiles, is not counted; a row that takes seconds gets two rounds.
    """
    best = dict.fromkeys(works, float("inf"))
    start = time.perf_counter()
    for work in works.values():
        work()
    for _ in range(ROUNDS if time.perf_counter() - start < 5 else 2):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            best[name] = min(best[name], time.perf_counter() - start)
    return best


def scheme_work(scheme, out):
    return lambda: scheme(out.shape, out=out, seed=1, name="w")


def fills(n):
    """(label, numbers, {library: work}) for each row of the table."""
    single, tensor = np.empty(n, np.float32), torch.empty(n)
    double, half, brain = np.empty(n // 2, np.float64), np.empty(n, np.float16), torch.empty(n, dtype=torch.bfloat16)
    generator = np.random.default_rng(1)
    uniform, normal = fanin.Uniform(-0.05, 0.05), fanin.Normal(0.0, 0.02)
    cut = fanin.TruncatedNormal(0.0, 0.02)
    general = fanin.TruncatedNormal(0.0, 0.02, -1.0, 4.0)
    he = fanin.Registry.get("he_normal")
    square, square_tensor = np.empty((4096, 4096), np.float32), torch.empty(4096, 4096)
    return [
        ("plain fill, float32", n, {"numpy": lambda: single.fill(1.0), "torch": lambda: tensor.fill_(1.0)}),
        ("words, into a new array", n, {"fanin": lambda: fanin.stream.words(1, "w", 0, n)}),
        ("Constant, float32", n, {
            "fanin": scheme_work(fanin.Constant(1.0), single),
            "numpy": lambda: single.fill(1.0)}),
        ("Uniform, float32", n, {
            "fanin": scheme_work(uniform, single),
            "torch": lambda: tensor.uniform_(-0.05, 0.05),
            "numpy": lambda: generator.random(out=single, dtype=np.float32)}),
        ("Normal, float32", n, {
            "fanin": scheme_work(normal, single),
            "torch": lambda: tensor.normal_(0.0, 0.02),
            "numpy": lambda: generator.standard_normal(out=single, dtype=np.float32)}),
        ("TruncatedNormal ±2 std, float32", n, {
            "fanin": scheme_work(cut, single),
            "torch": lambda: torch.nn.init.trunc_normal_(tensor, 0.0, 0.02, -0.04, 0.04)}),
        ("TruncatedNormal [-1, 4] std, float32", n, {
            "fanin": scheme_work(general, single),
            "torch": lambda: torch.nn.init.trunc_normal_(tensor, 0.0, 0.02, -0.02, 0.08)}),
        ("he_normal, float32", n, {"fanin": scheme_work(he, single.reshape(-1, 1024))}),
        ("Uniform, bfloat16", n, {
            "fanin": scheme_work(uniform, brain),
            "torch": lambda: brain.uniform_(-0.05, 0.05)}),
        ("Normal, bfloat16", n, {
            "fanin": scheme_work(normal, brain),
            "torch": lambda: brain.normal_(0.0, 0.02)}),
        ("Normal, float16", n, {"fanin": scheme_work(normal, half)}),
        ("Uniform, float64", n // 2, {
            "fanin": scheme_work(uniform, double),
            "numpy": lambda: generator.random(out=double)}),
        ("Normal, float64", n // 2, {
            "fanin": scheme_work(normal, double),
            "numpy": lambda: generator.standard_normal(out=double)}),
        ("Sparse 0.9, float32, (4096, 4096)", square.size, {
            "fanin": scheme_work(fanin.Sparse(0.9), square),
            "torch": lambda: torch.nn.init.sparse_(square_tensor, 0.9)}),
    ]


def matrices():
    """The rows that are timed in milliseconds: orthogonal matrices, and a call on a small tensor."""
    rows = []
    for shape in ((1024, 1024), (2048, 2048), (4096, 4096), (4096, 1024)):
        out, tensor = np.empty(shape, np.float32), torch.empty(shape)
        rows.append((f"Orthogonal {shape[0]} x {shape[1]}", {
            "fanin": scheme_work(fanin.Orthogonal(), out), "torch": lambda t=tensor: torch.nn.init.orthogonal_(t)}))
    out, tensor = np.empty((64, 64), np.float32), torch.empty(64, 64)
    kaiming = fanin.Registry.get("torch_default")

    def thousand(work):
        return lambda: [work() for _ in range(1000)]

    rows.append(("1000 calls of kaiming_uniform on (64, 64)", {
        "fanin": thousand(scheme_work(kaiming, out)),
        "torch": thousand(lambda: torch.nn.init.kaiming_uniform_(tensor, a=5**0.5))}))
    return rows


def cold_start():
    """Seconds of fresh processes: a bare interpreter, imports, a first call with and without kernels on disk."""
    call = "import fanin; fanin.Normal()((512, 256), seed=0)"
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "NUMBA_CACHE_DIR": cache}

        def seconds(code):
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True, env=environment)
            return time.perf_counter() - start

        first = seconds(call)
        return {
            "interpreter": min(seconds("pass") for _ in range(5)),
            "import numpy": min(seconds("import numpy") for _ in range(5)),
            "import fanin": min(seconds("import fanin") for _ in range(5)),
            "first call, nothing compiled": first,
            "first call, kernels on disk": min(seconds(call) for _ in range(5)),
        }


def processor():
    try:
        with open("/proc/cpuinfo") as lines:
            return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--log2", type=int, default=26, help="the binary logarithm of the number of elements")
    n = 2 ** parser.parse_args().log2
    cores = os.cpu_count()
    print(f"{processor()}, {cores} cores; Python {platform.python_version()}, fanin {fanin.__version__}, numba "
          f"{numba.__version__}, numpy {np.__version__}, torch {torch.__version__}; n = 2**{n.bit_length() - 1}; "
          f"best of {ROUNDS}\n")
    columns = ("fanin", "torch", "numpy")
    print("| G elements/s | threads | " + " | ".join(columns) + " | fanin / torch | fanin / numpy |")
    print("|---|---|" + "---|" * (len(columns) + 2))
    for threads in sorted({1, cores}):
        numba.set_num_threads(min(threads, numba.config.NUMBA_NUM_THREADS))
        torch.set_num_threads(threads)
        for label, numbers, works in fills(n):
            rates = {name: numbers / seconds / 1e9 for name, seconds in best_times(works).items()}
            cells = [f"{rates[name]:.3f}" if name in rates else "" for name in columns]
            ratios = [f"{rates['fanin'] / rates[peer]:.2f}" if {"fanin", peer} <= rates.keys() else ""
                      for peer in columns[1:]]
            print(f"| {label} | {threads} | " + " | ".join(cells + ratios) + " |", flush=True)
    print("\n| milliseconds | threads | fanin | torch | fanin / torch |\n|---|---|---|---|---|")
    for threads in sorted({1, cores}):
        torch.set_num_threads(threads)
        for label, works in matrices():
            with threadpoolctl.threadpool_limits(threads):
                seconds = best_times(works)
            print(f"| {label} | {threads} | {seconds['fanin'] * 1e3:.1f} | {seconds['torch'] * 1e3:.1f} | "
                  f"{seconds['fanin'] / seconds['torch']:.2f} |", flush=True)
    print("\n| fresh process | seconds |\n|---|---|")
    for label, seconds in cold_start().items():
        print(f"| {label} | {seconds:.3f} |")


if __name__ == "__main__":
    main()
