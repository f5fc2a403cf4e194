"""Writing a checkpoint against writing as many zeros with the same calls, in turns, and verifying it.

    python -m benchmarks.bench_checkpoint [--layers 32] [--rounds 3] [--folder DIR]

The model is Llama 2 7B in bfloat16: 13.5 GB with all its 32 layers. Both sides reserve the file, write buffers of the
same size, fsync, rename and fsync the folder, and all of that is timed; the files are removed after each turn. Every
turn is a process of its own, whose peak memory is measured, and in which compiled code was loaded before the clock
starts. The disk needs room for one file.
"""

import argparse
import json
import math
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from fanin.checkpoint import _direct as direct
from fanin.checkpoint import _pieces as pieces
from fanin.checkpoint import init, verify
from fanin.checkpoint._writing import staging

from .tables import table

VOCABULARY, WIDTH, HIDDEN = 32000, 4096, 11008
RULES = "transformer"


def llama(layers):
    """The JSON table of Llama 2 7B, with so many of its 32 layers."""
    shapes = {"model.embed_tokens.weight": [VOCABULARY, WIDTH]}
    for i in range(layers):
        for name in "qkvo":
            shapes[f"model.layers.{i}.self_attn.{name}_proj.weight"] = [WIDTH, WIDTH]
        for name in ("gate", "up"):
            shapes[f"model.layers.{i}.mlp.{name}_proj.weight"] = [HIDDEN, WIDTH]
        shapes[f"model.layers.{i}.mlp.down_proj.weight"] = [WIDTH, HIDDEN]
        for name in ("input", "post_attention"):
            shapes[f"model.layers.{i}.{name}_layernorm.weight"] = [WIDTH]
    shapes |= {"model.norm.weight": [WIDTH], "lm_head.weight": [VOCABULARY, WIDTH]}
    return {name: {"shape": shape, "dtype": "BF16"} for name, shape in shapes.items()}


def write_zeros(path, size):
    """The calls of fanin's writer, one after another, with a buffer that is never filled."""
    buffer = direct.aligned(pieces.BUFFER)
    buffer[:] = 0
    with staging.Staged(path, size) as staged:
        for start in range(0, size, len(buffer)):
            staged.write(buffer[:size - start])
        staged.finish()


def turn(kind, folder, size):
    """{"seconds": ..., "peak": bytes} of one kind of work in this process."""
    folder = Path(folder)
    model, out = folder / "model.json", folder / "out.safetensors"
    if kind != "zeros":  # compiled code is on disk or compiled now; neither side's clock runs
        warm = folder / "warm.json"
        warm.write_text(json.dumps({"w.weight": {"shape": [512, 512], "dtype": "BF16"}}))
        init(str(warm), folder / "warm.safetensors", RULES)
    works = {"zeros": lambda: write_zeros(str(out), size), "fanin": lambda: init(str(model), out, RULES),
             "verify": lambda: verify(out)}
    start = time.perf_counter()
    result = works[kind]()
    seconds = time.perf_counter() - start
    if kind == "verify" and not all(report.ok for report in result):
        sys.exit("the checkpoint is not what is drawn")
    return {"seconds": seconds, "peak": peak_memory()}


def peak_memory():
    """Bytes. Not getrusage's, which begins with the memory of the process that started this one."""
    lines = Path("/proc/self/status").read_text("utf-8").splitlines()
    return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) * 1024


def measure(folder, layers, rounds):
    """({kind: its turns}, bytes of tensors, bytes of the file)."""
    (folder / "model.json").write_text(json.dumps(llama(layers)))
    out = folder / "out.safetensors"
    data = sum(2 * math.prod(entry["shape"]) for entry in llama(layers).values())
    free = shutil.disk_usage(folder).free
    if free < data * 1.1:
        sys.exit(f"bench_checkpoint: {folder} must have {data * 1.1 / 1e9:.1f} GB free ({free / 1e9:.1f} are): choose "
                 "another with --folder, or fewer --layers")
    turns = {"zeros": [], "fanin": [], "verify": []}

    def take(kind):
        command = [sys.executable, "-m", "benchmarks.bench_checkpoint", "--turn", kind, str(folder), str(data)]
        turns[kind].append(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))
        print(f"{kind}: {data / 1e9 / turns[kind][-1]['seconds']:.2f} GB/s", file=sys.stderr)

    for number in range(rounds):
        for kind in ("zeros", "fanin") if number % 2 == 0 else ("fanin", "zeros"):
            take(kind)
            if kind == "fanin" and number == rounds - 1:
                take("verify")
            out.unlink()
    return turns, data


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.bench_checkpoint", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--layers", type=int, default=32, help="of the model's 32 (default all: 13.5 GB; 4 are 2.1 GB)")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each side (default 3)")
    parser.add_argument("--folder", type=Path, help="on the disk to be measured (default: for temporary files)")
    parser.add_argument("--turn", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.turn:
        print(json.dumps(turn(options.turn[0], options.turn[1], int(options.turn[2]))))
        return
    if options.layers < 1 or options.rounds < 1:
        parser.error("--layers and --rounds must be at least 1")
    from .libraries import machine

    with tempfile.TemporaryDirectory(prefix="fanin-bench-", dir=options.folder) as folder:
        turns, data = measure(Path(folder), options.layers, options.rounds)
    print(f"{machine()[0]}\n\n{len(llama(options.layers))} tensors, {data / 1e9:.2f} GB in bfloat16; buffers of "
          f"{pieces.BUFFER >> 20} MiB; fsync is in all times.\n")
    print(report(turns, data))


def report(turns, data):
    """The tables: rates and peak memory of each kind of work, and the ratio that is promised."""
    names = {"zeros": "zeros, the same calls", "fanin": "fanin.checkpoint.init", "verify": "fanin.checkpoint.verify"}
    rows, middle = [], {}
    for kind, name in names.items():
        rates = sorted(data / 1e9 / each["seconds"] for each in turns[kind])
        middle[kind] = statistics.median(rates)
        rows.append([name, middle[kind], rates[0], rates[-1], f"{max(each['peak'] for each in turns[kind]) >> 20}"])
    fastest = {kind: min(each["seconds"] for each in turns[kind]) for kind in turns}
    return (table(["work", "GB/s, median", "slowest", "fastest", "peak memory, MiB"], rows)
            + f"\nfanin / zeros: {middle['fanin'] / middle['zeros']:.2f} (medians), "
              f"{fastest['zeros'] / fastest['fanin']:.2f} (fastest turns); "
              "the target is 0.80.\n")


if __name__ == "__main__":
    main()
