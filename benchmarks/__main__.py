"""Run the benchmarks and print their tables in markdown."""

import argparse
import os
import re
import sys
import time
from pathlib import Path

from . import calls, fills, layouts, matrices, startup, tables, targets
from .libraries import machine
from .worker import AVX2, Settings, run

ROOT = Path(__file__).resolve().parents[1]
SECTIONS = ("fills", "layouts", "matrices", "calls", "startup")


def elements(text):
    """2**26, or 67108864."""
    match = re.fullmatch(r"(?:(\d+)\*\*)?(\d+)", text)
    if not match:
        raise argparse.ArgumentTypeError(f"must be a number such as 67108864 or 2**26 (got {text!r})")
    n = int(match[1]) ** int(match[2]) if match[1] else int(match[2])
    if n < 2**14 or n % 2**12:
        raise argparse.ArgumentTypeError(f"must be a multiple of 4096, and at least 2**14 (got {text!r})")
    return n


def measure(sections, n, quick):
    """The results of each section's runs by name. Every run is a process of its own."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    results, start = {}, time.perf_counter()

    def part(name, environment=(), **settings):
        results[name] = run(Settings(n=n, quick=quick, **settings), environment)
        print(f"{time.perf_counter() - start:5.0f} s  {name}", file=sys.stderr)

    for section in ("fills", "matrices"):
        if section in sections:
            part(f"{section}, one core", section=section)
            results[f"{section}, all cores"] = []
            if cores > 1:
                part(f"{section}, all cores", section=section, threads=cores)
    if "fills" in sections:
        part("fills, AVX2", AVX2, section="fills", alone=True)
    for section in ("layouts", "calls", "startup"):
        if section in sections:
            part(section, section=section)
    return results, cores


def report(results, sections, cores):
    """All tables, each below its heading."""
    parts = []
    if set(SECTIONS) <= set(sections):
        parts.append("### Targets\n\n" + targets.targets(results))
    if "fills" in sections:
        parts.append("### Filling an array\n\n" + fills.tables(
            *(results[f"fills, {where}"] for where in ("one core", "all cores", "AVX2")), cores))
    if "layouts" in sections:
        parts.append("### Into any memory\n\n" + layouts.tables(results["layouts"]))
    if "matrices" in sections:
        parts.append("### Orthogonal matrices\n\n" + matrices.tables(
            *(results[f"matrices, {where}"] for where in ("one core", "all cores")), cores))
    if "calls" in sections:
        parts.append("### Small calls\n\n" + calls.tables(results["calls"]))
    if "startup" in sections:
        parts.append("### Start\n\n" + startup.tables(results["startup"]))
    return "\n".join(parts)


def main():
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--n", type=elements, default=2**26, help="elements in the large arrays (default 2**26)")
    parser.add_argument("--section", action="append", choices=SECTIONS, help="only this one; may be given repeatedly")
    parser.add_argument("--quick", action="store_true", help="see that all works: 2**20 elements, few turns")
    parser.add_argument("--write", action="store_true",
                        help="put the tables into benchmarks/README.md, and the short one into README.md")
    options = parser.parse_args()
    if options.write and (options.quick or options.section):
        parser.error("--write takes a whole run: no --quick, no --section")
    n, sections = 2**20 if options.quick else options.n, options.section or SECTIONS

    power = f"2**{n.bit_length() - 1}" if n & (n - 1) == 0 else str(n)
    lines = "\n".join([*machine(), f"Arrays of {power} elements (of half as many where they have 8 bytes)."])
    print(lines + "\n", flush=True)
    results, cores = measure(sections, n, options.quick)
    text = report(results, sections, cores)
    print(text)
    if options.write:
        front_page = f"{targets.front_page(results, power)}\n{machine()[0]}"
        for path, marker, content in ((ROOT / "benchmarks" / "README.md", "run", f"{lines}\n\n{text}"),
                                      (ROOT / "README.md", "benchmarks", front_page)):
            if not tables.replace_between(path, marker, content):
                sys.exit(f"{path} has no lines <!-- {marker} --> and <!-- /{marker} -->")


if __name__ == "__main__":
    main()
