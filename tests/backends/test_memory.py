"""Memory: a draw needs its result and nothing that grows with it. Peaks of real processes, counted by the system."""

import json
import os
import subprocess
import sys
import textwrap

import pytest

pytest.importorskip("resource", reason="this platform does not report peak memory")

TIMEOUT = 120
MIB = 2**20
SLACK = 24 * MIB  # of the allocator, thread stacks, and what the first parallel call loads
PREAMBLE = """
    import json, resource, sys
    import numpy as np
    import fanin

    def peak():
        try:  # on Linux ru_maxrss starts at the peak of the process that started this one
            with open("/proc/self/status") as status:
                return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))
        except FileNotFoundError:
            unit = 1 if sys.platform == "darwin" else 1024
            return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

    def grown(function):
        before = peak()
        function()
        print(json.dumps(peak() - before))
"""


def grown(code):
    """By how many bytes the peak memory of a fresh process grows in the code's last step."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    script = textwrap.dedent(PREAMBLE) + textwrap.dedent(code)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment,
                          timeout=TIMEOUT)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(("scheme", "dtype", "itemsize"), [
    ("Normal()", "float32", 4), ("Normal()", "bfloat16", 2), ("TruncatedNormal(0, 1, 5, 6)", "float64", 8),
    ("Constant(1.5)", "float32", 4), ("Constant(np.zeros(1))", "float32", 4),
])
def test_a_large_fill_needs_its_result_only(scheme, dtype, itemsize):
    """256 MiB are drawn in 256 MiB; the result is not made twice, whole or in part."""
    size = 256 * MIB // itemsize
    assert 255 * MIB < grown(f"""
        from fanin import *
        scheme = {scheme}
        scheme(100_000, {dtype!r}, seed=0)  # compiles the parallel loop
        grown(lambda: scheme({size}, {dtype!r}, seed=0))
    """) < 256 * MIB + SLACK


def test_out_needs_nothing():
    """Filling arrays that exist, contiguous, strided or misaligned, allocates nothing that grows with them."""
    assert grown("""
        records = np.ones((2**22,), np.dtype([("flag", np.uint8), ("value", np.float32)]))["value"]
        outs = [np.ones((2**13, 2**13), np.float32), np.ones((2**13, 2**12), np.float32).T[::-1], records]
        for out in outs:
            fanin.Normal()(out.shape, out=out, seed=0)
        grown(lambda: [fanin.Normal()(out.shape, out=out, seed=1) for out in outs])
    """) < SLACK


def test_a_shard_of_a_huge_tensor_needs_memory_for_the_shard():
    """A block of a tensor of 2**60 elements: its own 4 MiB, also with steps; constants and masks likewise."""
    assert grown("""
        schemes = [fanin.Normal(), fanin.Constant(2.0), fanin.Eye(), fanin.Registry.get("he_uniform")]
        index = (slice(2**49, 2**49 - 2**11, -2), slice(3, None))
        for scheme in schemes:
            scheme.shard((2**50, 2**10), (slice(2**49, 2**49 - 2**7, -2), slice(3, None)), seed=0)
        grown(lambda: [scheme.shard((2**50, 2**10), index, seed=0) for scheme in schemes])
    """) < 4 * MIB + SLACK


def test_words_need_their_array():
    """64 Mi words take 256 MiB."""
    assert grown("""
        fanin.stream.words(0, count=100_000)
        grown(lambda: fanin.stream.words(0, count=2**26))
    """) < 256 * MIB + SLACK
