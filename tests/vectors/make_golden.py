"""The golden hashes of the present code, as JSON on standard output; what differs from golden.json on standard error.

    python tests/vectors/make_golden.py > new.json

Nothing is overwritten. A new case is added by moving new.json over golden.json. A *changed* hash is a breaking change:
other bits under the same STREAM_VERSION. It is either a mistake in the code, or a reviewed event with a new
STREAM_VERSION and an entry in the changelog; the exit status is then 1.
"""

import hashlib
import json
import sys
from pathlib import Path

from fanin import S4D, STREAM_VERSION, Constant, Registry, Sparse, TruncatedNormal, Uniform

FILE = Path(__file__).with_name("golden.json")
SEED, NAME = 20260717, "golden"
FLOATING = ("float16", "bfloat16", "float32", "float64")
DTYPES = (*FLOATING, "complex64", "complex128")
# not element-wise: they promise a bound, not bits
ORTHOGONAL = {"orthogonal", "delta_orthogonal", "convolution_orthogonal", "scaled_orthogonal"}
REQUIRED = {"sparse": {"sparsity": 0.4}, "array": {"value": [[1], [0]] + [[1]] * 5}, "constant": {"value": 1},
            "chrono": {"t_max": 100},
            "blocks": {"inits": ["normal", "ones", {"name": "sparse", "sparsity": 0.4}], "axis": 1,
                       "sizes": [13, 3, -1]}}
REAL_ONLY = {"log_uniform", "log_of_uniform", "mamba2_a_log", "mamba_dt_bias", "hippo_legs_a", "hippo_legs_b", "s4d",
             "sinusoidal", "whisper_sinusoids", "chrono", "bilinear"}
ALSO_WHOLE = {"zeros", "ones", "constant", "array", "eye", "dirac", "lstm_bias"}
MATRIX, CONVOLUTION = (7, 33), (5, 3, 3, 3)
SHAPES = {"dirac": CONVOLUTION, "hippo_legs_a": (3, 7, 7), "icnr": (8, 33), "chrono": (132,), "lstm_bias": (132,),
          "bilinear": (6, 3, 4, 5)}  # others draw a matrix

# The truncated normal has a sampler for each kind of interval: presets only reach the central one.
EXTRA = {
    "one-sided": (TruncatedNormal(0.5, 2.0, 0.25, float("inf")), DTYPES[:4]),
    "wide": (TruncatedNormal(0.0, 0.02, -3.5, 4.0), ("float32", "float64")),
    "far tail": (TruncatedNormal(0.0, 1.0, 5.0, 6.0), ("bfloat16", "float32", "float64")),
    "far tail below": (TruncatedNormal(1.0, 0.5, float("-inf"), -8.0), ("float32", "float64")),
    "narrow": (TruncatedNormal(0.0, 1.0, 1.0, 1.001), ("float32", "float64")),
    "absolute": (TruncatedNormal(0.1, 0.3, -0.2, 0.45, "absolute"), ("float32", "float64")),
    "far from zero": (Uniform(-1000.7, -1000.1), ("float32", "float64")),
    "disk off centre": (Uniform(1.0, 4.0), ("complex64", "complex128")),
    "complex cut": (TruncatedNormal(1.0, 0.5, -0.7, 0.7), ("complex64", "complex128")),
    "sparse columns": (Sparse(0.7, std=1.0, axis=-1), ("float32",)),
    "s4d inv": (S4D("inv"), FLOATING),
    "s4d log": (S4D("real", "log"), FLOATING),
    "complex constant": (Constant(0.5 - 2j), ("complex64", "complex128")),
}


def cases():
    """{case: (scheme, shape, dtype)}, one for each element-wise preset of the registry and each dtype it takes."""
    found = {}
    for preset in Registry.names():
        if preset not in ORTHOGONAL:
            scheme = Registry.get(preset, **REQUIRED.get(preset, {}))
            dtypes = FLOATING if preset in REAL_ONLY else DTYPES + (("int32", "bool") if preset in ALSO_WHOLE else ())
            shapes = [SHAPES.get(preset, MATRIX)]
            if preset in ("he_normal", "glorot_uniform"):
                shapes.append(CONVOLUTION)
            for shape in shapes:
                found |= {f"{preset} {dtype} {shape}": (scheme, shape, dtype) for dtype in dtypes}
    for label, (scheme, dtypes) in EXTRA.items():
        found |= {f"{label} {dtype} {MATRIX}": (scheme, MATRIX, dtype) for dtype in dtypes}
    return found


def digest(array):
    """BLAKE2b of the elements' bytes, in C order and little-endian."""
    return hashlib.blake2b(array.tobytes(), digest_size=16).hexdigest()


def hashes(device="cpu"):
    return {case: digest(scheme(shape, dtype, device, seed=SEED, name=NAME))
            for case, (scheme, shape, dtype) in cases().items()}


def recorded():
    """(STREAM_VERSION, {case: hash}) of golden.json."""
    content = json.loads(FILE.read_text("utf-8"))
    return content["stream_version"], content["hashes"]


def main():
    now = hashes()
    version, before = recorded() if FILE.exists() else (STREAM_VERSION, {})
    for case in sorted(now.keys() | before.keys()):
        if now.get(case) != before.get(case):
            kind = "new" if case not in before else "gone" if case not in now else "CHANGED"
            sys.stderr.write(f"{kind}: {case}\n")
    json.dump({"stream_version": STREAM_VERSION, "seed": SEED, "name": NAME, "hashes": now}, sys.stdout, indent=1)
    sys.stdout.write("\n")
    changed = any(case in now and now[case] != value for case, value in before.items())
    return int(changed and version == STREAM_VERSION)


if __name__ == "__main__":
    sys.exit(main())
