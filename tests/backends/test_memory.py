"""Memory: a draw needs its result and nothing that grows with it. Peaks of real processes, counted by the system."""

import json

import pytest

from scripts import run

pytest.importorskip("resource", reason="this platform does not report peak memory")

MIB = 2**20
SLACK = 24 * MIB  # of the allocator and thread stacks
PREAMBLE = """
    import resource

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
        answer(peak() - before)
"""


def grown(code):
    """By how many bytes the peak memory of a fresh process grows in the code's last step."""
    return json.loads(run(PREAMBLE, code))


@pytest.mark.parametrize(("scheme", "dtype", "itemsize", "mib"), [
    ("Normal()", "float32", 4, 1024), ("Normal()", "bfloat16", 2, 1024),
    ("TruncatedNormal(0, 1, 5, 6)", "float64", 8, 256), ("Sparse(0.5)", "complex64", 8, 256),
    ("Constant(1.5)", "float32", 4, 256), ("Constant(np.zeros(1))", "float32", 4, 256),
    ("Blocks([Normal(), Constant(np.zeros(1))], 1)", "float32", 4, 256),
])
def test_a_large_fill_needs_its_result_only(scheme, dtype, itemsize, mib):
    """1 GiB is drawn in 1 GiB; the result is not made twice, whole or in part."""
    shape = (1024, mib * 1024 // itemsize)
    # the lower limit leaves room for what a compiler needed, and gave back, before
    assert mib * MIB * 3 // 4 < grown(f"""
        from fanin import *
        scheme = {scheme}
        scheme((2, 100_000), {dtype!r}, seed=0)  # compiles, and starts the threads that large draws take
        grown(lambda: scheme({shape}, {dtype!r}, seed=0))
    """) < mib * MIB + SLACK


def test_out_needs_nothing():
    """Filling arrays that exist, contiguous, strided or misaligned, allocates nothing that grows with them."""
    assert grown("""
        import ml_dtypes
        records = np.ones((2**22,), np.dtype([("flag", np.uint8), ("value", np.float32)]))["value"]
        gib = np.ones((2**14, 2**14), np.float32)
        halves = gib.view(ml_dtypes.bfloat16)
        outs = [gib, gib.T[::-1], gib[:, ::2], halves[:, ::-3], halves, records]
        for out in outs:
            corner = out[:400, :400] if out.ndim == 2 else out[:100_000]
            fanin.Normal()(corner.shape, out=corner, seed=0)
        grown(lambda: [fanin.Normal()(out.shape, out=out, seed=1) for out in outs])
    """) < SLACK


def test_a_shard_of_a_huge_tensor_needs_memory_for_the_shard():
    """A block of a tensor of 2**60 elements: its own 4 MiB, also with steps; constants and masks likewise."""
    assert grown("""
        schemes = [fanin.Normal(), fanin.Constant(2.0), fanin.Eye(), fanin.Registry.get("he_uniform")]
        index = (slice(2**49, 2**49 - 2**11, -2), slice(3, None))
        for scheme in schemes:
            scheme.shard((2**50, 2**10), (slice(2**49, 2**49 - 2**9, -2), slice(3, None)), seed=0)
        grown(lambda: [scheme.shard((2**50, 2**10), index, seed=0) for scheme in schemes])
    """) < 4 * MIB + SLACK


def test_words_need_their_array():
    """64 Mi words take 256 MiB."""
    assert grown("""
        fanin.stream.words(0, count=200_000)
        grown(lambda: fanin.stream.words(0, count=2**26))
    """) < 256 * MIB + SLACK
