"""The list of device functions: each is known to each compiler, whichever of them comes first."""

import subprocess
import sys

import pytest

DRAWS = """
import fanin
for dtype in ("float16", "bfloat16", "float32", "float64"):
    fanin.Normal()(9, dtype, seed=0), fanin.TruncatedNormal(lower=1.0, upper=3.0)(9, dtype, seed=0)
import fanin.compat.jax as compat
compat.normal()(compat.key(0), (3, 3))
@fanin.sampler
def late(u):
    return fanin.math.log(u)
class Late(fanin.Initializer):
    def plan(self, spec):
        return spec.draw(late)
assert (Late()(9, seed=0) == Late()(9, seed=0, device="reference")).all()
print("drawn")
"""


@pytest.mark.parametrize("first", [
    "import fanin._backends.compile, fanin",
    "from fanin._kernels.device import register_cpu; register_cpu()",
    "import fanin._kernels.rounding, fanin._backends.compile",
    "import fanin._backends.loops, fanin._backends.compile, fanin._kernels.blocks, fanin._backends.blocks",
    "import fanin.compat.jax",
    "import fanin._backends.reference, fanin._backends.compile, fanin.compat.jax",
])
def test_any_order_of_imports(first):
    """A compiler that was loaded before a function was defined knows it too: whatever is imported first, draws work."""
    done = subprocess.run([sys.executable, "-c", f"{first}\n{DRAWS}"], capture_output=True, text=True, timeout=500)

    assert done.stdout == "drawn\n", done.stderr[-2000:]
