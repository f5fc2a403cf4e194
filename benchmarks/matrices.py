"""Section `matrices`: orthogonal matrices, against torch and JAX and against the rate of a plain matrix product."""

import numpy as np

import fanin

from .libraries import jax, jax_work, scheme_work, torch
from .tables import ratio, table
from .timing import best_times

SHAPES = (((2048, 2048), "float32"), ((4096, 4096), "float32"), ((4096, 1024), "float32"), ((1024, 4096), "float32"),
          ((512, 256, 3, 3), "float32"), ((2048, 2048), "float64"), ((2048, 2048), "complex64"))
QUICK = (((256, 256), "float32"), ((64, 32, 3, 3), "float32"), ((128, 128), "complex64"))


def measure(settings):
    """[{"label", library: seconds, "flops", "product": flops per second of a matrix product}] for each row."""
    return [_row(shape, dtype, settings) for shape, dtype in (QUICK if settings.quick else SHAPES)]


def _row(shape, dtype, settings):
    out = np.empty(shape, dtype)
    matrix = out.reshape(len(out), -1)
    works = {"fanin": scheme_work(fanin.Orthogonal(), out)}
    if torch is not None and out.dtype.kind != "c":  # torch's refuses complex tensors
        tensor = torch.from_numpy(out)
        works["torch"] = lambda: torch.nn.init.orthogonal_(tensor)
    if jax is not None and dtype != "float64":  # a type that JAX has only in a mode of its own
        works["jax"] = jax_work(lambda key: jax.nn.initializers.orthogonal(dtype=dtype)(key, matrix.shape))
    side = min(1024, *matrix.shape)
    left, right, product = (np.ones((side, side), dtype) for _ in range(3))
    works["product"] = lambda: np.matmul(left, right, out=product)
    seconds = best_times(works, settings.turns)
    m, n = max(matrix.shape), min(matrix.shape)
    real = 4 if out.dtype.kind == "c" else 1  # a complex multiplication and addition is four real ones of each
    return {"label": f"Orthogonal {' × '.join(map(str, shape))}, {dtype}", **seconds,
            "product": real * 2 * side**3 / seconds["product"],
            "flops": real * (2 * m * n**2 - 2 / 3 * n**3)}


def tables(one, many, cores):
    header = ["milliseconds", "cores", "fanin", "torch", "JAX", "fanin / torch", "GFLOP/s", "of a product's"]
    rows = []
    for count, results in ((1, one), (cores, many)):
        for row in results:
            times = [row.get(name) for name in ("fanin", "torch", "jax")]
            rate = row["flops"] / row["fanin"]
            rows.append([row["label"], count, *(time and time * 1e3 for time in times), ratio(times[0], times[1]),
                         rate / 1e9, f"{rate / row['product']:.0%}"])
    return table(header, rows)
