"""The words through all tests of dieharder (Brown, Eddelbuettel, Bauer; Debian's package of that name). About an hour.

    python tests/exactness/dieharder.py                # the words of one stream, in order
    python tests/exactness/dieharder.py --streams 16   # a word of each of 16 neighbouring streams, in turn

dieharder calls p-values outside [0.005, 0.995] weak, which one in a hundred is, and those outside 1e-6 of the ends
failed; it repeats weak tests with more words until they are one or the other. The exit status is 1 if a test failed.
"""

import argparse
import shutil
import subprocess
import sys
import threading

import numpy as np

from fanin import Stream
from fanin.stream import words

CHUNK = 2**18  # words of each stream at a time
RAW_STDIN, RESOLVE_WEAK = ["-g", "200"], ["-Y", "1"]


def feed(pipe, seed, streams):
    """Write little-endian words, for as long as they are read."""
    start = 0
    try:
        while True:
            parts = [words(Stream(seed, position=i), start=start, count=CHUNK) for i in range(streams)]
            pipe.write(np.stack(parts, axis=1).astype("<u4").tobytes())
            start += CHUNK
    except BrokenPipeError:  # it has read enough
        sys.stderr.write(f"{start * streams * 4 / 1e9:.0f} GB of words written\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--streams", type=int, default=1)
    parser.add_argument("tests", nargs="*", default=["-a"], help="dieharder's options that choose tests; default -a")
    arguments = parser.parse_args()
    if not shutil.which("dieharder"):
        parser.error("dieharder is not installed: apt-get install dieharder")

    process = subprocess.Popen(["dieharder", *RAW_STDIN, *RESOLVE_WEAK, *arguments.tests],
                               stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    feeder = threading.Thread(target=feed, args=(process.stdin, arguments.seed, arguments.streams))
    feeder.start()
    counts = {"PASSED": 0, "WEAK": 0, "FAILED": 0}  # lines: a weak test has another, with more words
    for line in map(bytes.decode, process.stdout):
        sys.stdout.write(line)
        sys.stdout.flush()
        verdict = line.rpartition("|")[2].strip()
        if verdict in counts:
            counts[verdict] += 1
    sys.stdout.write(", ".join(f"{count} {verdict.lower()}" for verdict, count in counts.items()) + "\n")
    feeder.join()
    return int(process.wait() != 0 or counts["FAILED"] > 0 or not counts["PASSED"])


if __name__ == "__main__":
    sys.exit(main())
