"""Golden hashes: the bits of every element-wise preset and dtype, on each device and on processors of other kinds."""

import json
import os
import platform
import subprocess
import sys

import pytest

import fanin
from devices import on_host
from fanin._dtypes import as_dtype
from vectors import make_golden

CASES = make_golden.cases()
VERSION, GOLDEN = make_golden.recorded()
POLICY = ("the bits of {} have changed. The same (scheme, seed, name, shape, dtype) promises the same bits: mend the "
          "code. If the change is meant, it is a breaking one: raise STREAM_VERSION, say so in the changelog, and only "
          "then write tests/vectors/golden.json anew with tests/vectors/make_golden.py")
TIMEOUT = 300
OTHER_PROCESSORS = {
    "avx2": {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx2,+fma,+bmi,+bmi2"},
    # the fused multiply-add is then a call of the C library, which looks at the hardware unless it is told not to
    "without fma": {"NUMBA_CPU_NAME": "x86-64", "NUMBA_CPU_FEATURES": "+sse2",
                    "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-FMA,-FMA4,-AVX2"},
}
ELSEWHERE = [f"{preset} {make_golden.MATRIX}" for preset in (
    "uniform float32", "normal float32", "normal float64", "truncated_normal float32", "truncated_normal bfloat16",
    "normal complex64", "far tail float32")]


@pytest.mark.parametrize("case", CASES)
def test_bits(case, each_device):
    """A preset's values are those of every earlier version with this STREAM_VERSION, to the bit."""
    scheme, shape, dtype = CASES[case]
    assert case in GOLDEN, f"{case!r} is new: add it with tests/vectors/make_golden.py"

    drawn = scheme(shape, dtype, each_device, seed=make_golden.SEED, name=make_golden.NAME)

    assert make_golden.digest(on_host(drawn, as_dtype(dtype))) == GOLDEN[case], POLICY.format(case)


def test_the_file_is_of_this_version():
    """No hash of another STREAM_VERSION, none of a preset that is gone, none that two random cases share."""
    assert VERSION == fanin.STREAM_VERSION
    assert set(GOLDEN) == set(CASES), "presets don't vanish within a STREAM_VERSION"
    for hash_, scheme in {GOLDEN[case]: scheme for case, (scheme, _, _) in CASES.items()}.items():
        assert len({repr(CASES[case][0]) for case in CASES if GOLDEN[case] == hash_}) == 1 or \
            not isinstance(scheme, fanin.VarianceScaling | fanin.Normal | fanin.TruncatedNormal)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="these are kinds of x86")
@pytest.mark.parametrize("processor", OTHER_PROCESSORS)
def test_bits_on_other_processors(processor):
    """Code made for AVX2, and for an x86 without fused multiply-add, gives the same bits."""
    code = ("import json, sys; from vectors import make_golden as m; cases = m.cases(); "
            "draw = lambda scheme, *what: m.digest(scheme(*what, seed=m.SEED, name=m.NAME)); "
            "print(json.dumps({case: draw(*cases[case]) for case in sys.argv[1:]}))")
    environment = os.environ | OTHER_PROCESSORS[processor] | {"PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code, *ELSEWHERE], capture_output=True, text=True, env=environment,
                          timeout=TIMEOUT)
    assert done.returncode == 0, done.stderr

    for case, found in json.loads(done.stdout).items():
        assert found == GOLDEN[case], f"on {processor}: " + POLICY.format(case)
