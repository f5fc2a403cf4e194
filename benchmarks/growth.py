"""How the cost of a draw grows with the array, from 2**4 to 2**28 elements: `python -m benchmarks.growth` draws it."""

import argparse
import itertools
import os
import sys
from pathlib import Path

import numpy as np

import fanin

from .libraries import FOUND, scheme_work, torch
from .tables import table
from .timing import best_calls
from .worker import Settings, run

PICTURE = Path(__file__).resolve().parents[1] / "docs" / "growth.png"
SMALLEST = 4
LIMIT = 4.0  # seconds of a call after which a library is not asked for more
STD = 0.02
LAWS = ("Uniform", "Normal", "TruncatedNormal ±2 std")


def measure(settings):
    """{law: {library: [seconds of a call on 2**4, 2**5, ... elements]}}, each list as long as calls stay short."""
    memory = np.zeros(settings.n, np.float32)
    times = {law: {} for law in LAWS}
    for power in range(SMALLEST, settings.n.bit_length()):
        out = memory[:2**power]
        for law, works in _works(out, settings.alone).items():
            done = times[law]
            works = {name: work for name, work in works.items()
                     if power == SMALLEST or len(done[name]) == power - SMALLEST and done[name][-1] < LIMIT / 2}
            for name, seconds in best_calls(works, min(20, max(1, 2**14 >> power)), budget=0.15).items():
                done.setdefault(name, []).append(seconds)
    return times


def _works(out, alone):
    generator = np.random.default_rng(1)
    works = {"Uniform": {"fanin": scheme_work(fanin.Uniform(-0.05, 0.05), out)},
             "Normal": {"fanin": scheme_work(fanin.Normal(0.0, STD), out)},
             "TruncatedNormal ±2 std": {"fanin": scheme_work(fanin.TruncatedNormal(0.0, STD), out)}}
    if not alone:
        works["Uniform"]["numpy"] = lambda: generator.random(out=out, dtype=np.float32)
        works["Normal"]["numpy"] = lambda: generator.standard_normal(out=out, dtype=np.float32)
    if torch is not None and not alone:
        tensor = torch.from_numpy(out)
        works["Uniform"]["torch"] = lambda: tensor.uniform_(-0.05, 0.05)
        works["Normal"]["torch"] = lambda: tensor.normal_(0.0, STD)
        works["TruncatedNormal ±2 std"]["torch"] = lambda: torch.nn.init.trunc_normal_(tensor, 0.0, STD, -0.04, 0.04)
    return works


# -- the picture --------------------------------------------------------------------------------------------------

COLOURS = {"fanin": "#0b5394", "torch": "#cc4125", "numpy": "#7f6000"}
TICKS = {1e-6: "1 µs", 1e-5: "10 µs", 1e-4: "100 µs", 1e-3: "1 ms", 1e-2: "10 ms", 1e-1: "100 ms", 1.0: "1 s"}


def draw(one, many, cores, path):
    """One panel a law, time against size, both logarithmic; each line is named at its end."""
    from matplotlib import pyplot
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator
    from PIL import Image

    figure, panels = pyplot.subplots(1, len(LAWS), figsize=(11, 4.2), sharey=True, layout="constrained")
    for panel, law in zip(panels, LAWS):
        lines = [(f"{name}, 1 core" if name == "fanin" and many else name, COLOURS[name], "-", times)
                 for name, times in one[law].items()]
        if many:
            lines.append((f"fanin, {cores} cores", COLOURS["fanin"], (0, (3, 1.5)), many[law]["fanin"]))
        for _, colour, style, times in lines:
            sizes = [2**(SMALLEST + i) for i in range(len(times))]
            panel.loglog(sizes, times, color=colour, linestyle=style, linewidth=1.8)
        _name_the_lines(panel, lines)
        panel.set_title(f"{law}, float32", loc="left", fontsize=10)
        powers = range(SMALLEST, 29, 6)
        panel.xaxis.set_major_locator(FixedLocator([2**power for power in powers]))
        panel.xaxis.set_major_formatter(FixedFormatter([f"$2^{{{power}}}$" for power in powers]))
        panel.yaxis.set_major_locator(FixedLocator(list(TICKS)))
        panel.yaxis.set_major_formatter(FixedFormatter(list(TICKS.values())))
        for axis in (panel.xaxis, panel.yaxis):
            axis.set_minor_locator(NullLocator())
        panel.set_xlim(2**SMALLEST, 2**36)  # room for the names
        panel.grid(color="#e0e0e0", linewidth=0.6)
        panel.spines[["top", "right"]].set_visible(False)
    panels[0].set_ylabel("time of a call", fontsize=10)
    figure.supxlabel("elements", fontsize=10)
    figure.savefig(path, dpi=110, facecolor="white", metadata={"Software": None})
    Image.open(path).convert("RGB").quantize(64).save(path, optimize=True)  # a fourth of the size


def _name_the_lines(panel, lines):
    """Names to the right of the lines' ends, moved apart where they would meet."""
    apart, last = 2.3, 0.0
    for label, colour, _, times in sorted(lines, key=lambda line: line[3][-1]):
        at = max(times[-1], last * apart)
        panel.annotate(label, (2**(SMALLEST + len(times) - 1), times[-1]), (2**(SMALLEST + len(times) - 1) * 1.7, at),
                       color=colour, fontsize=9, va="center", annotation_clip=False)
        last = at


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks.growth", description=__doc__)
    parser.add_argument("--largest", type=int, default=28, help="the binary logarithm of the largest array (28)")
    parser.add_argument("--out", type=Path, default=PICTURE, help="where the picture goes (docs/growth.png)")
    options = parser.parse_args()
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    one = run(Settings("growth", 2**options.largest))
    many = run(Settings("growth", 2**options.largest, threads=cores, alone=True)) if cores > 1 else None
    draw(one, many, cores, options.out)
    missing = [name for name in ("torch",) if FOUND[name] is None]
    if missing:
        print(f"Not installed, and so without a line: {', '.join(missing)}.", file=sys.stderr)
    lines = [(law, name, times) for law in LAWS for name, times in one[law].items()]
    powers = range(SMALLEST, options.largest + 1, 4)
    print(table(["seconds of a call, one core", *(f"2**{power}" for power in powers)],
                [[f"{law}, {name}", *itertools.islice(times, 0, None, 4)] +
                 [None] * (len(powers) - len(times[::4])) for law, name, times in lines]))


if __name__ == "__main__":
    main()
