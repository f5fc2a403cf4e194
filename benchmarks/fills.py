"""Section `fills`: elements per second of drawing into a ready array that is larger than the caches."""

from typing import NamedTuple

import ml_dtypes
import numpy as np

import fanin
from fanin._drawing.execute import materialize_range
from fanin._kernels.samplers import word
from fanin._plans.plan import SamplerPlan
from fanin._seeding import Key

from .libraries import MKL, jax, jax_work, scheme_work, torch
from .tables import ratio, table
from .timing import best_times

LOW, HIGH, STD = -0.05, 0.05, 0.02
COLUMNS = 1024  # of the matrices that variance scaling is timed on


class Row(NamedTuple):
    """One line of the table. A work may be a pair: the callable, and the number of elements that it draws."""

    label: str
    elements: int
    works: dict
    main: bool = True  # peers are timed on all cores too


def measure(settings):
    """[{"label", library: elements per second}] for each row."""
    results = []
    for row in _rows(settings.n):
        works = {name: work if isinstance(work, tuple) else (work, row.elements) for name, work in row.works.items()}
        if settings.alone or settings.threads > 1 and not row.main:
            works = {name: work for name, work in works.items() if name == "fanin"}
        seconds = best_times({name: call for name, (call, _) in works.items()}, turns=settings.turns)
        results.append({"label": row.label} | {name: works[name][1] / best for name, best in seconds.items()})
    return results


def _rows(n):
    """All libraries draw into the same memory, but JAX, which makes a new array each time: of n/4 elements only."""
    memory = np.zeros(4 * n, np.uint8)
    yield from _limits(memory, n)
    yield from _single(memory.view(np.float32))
    matrix = memory.view(np.float32).reshape(-1, COLUMNS)
    yield _scaled(matrix, "truncated_normal")
    yield _scaled(matrix, "normal", torch and torch.nn.init.kaiming_normal_)
    yield _scaled(matrix, "uniform", torch and torch.nn.init.kaiming_uniform_)
    yield from _half(memory.view(ml_dtypes.bfloat16)[:n])
    yield from _half(memory.view(np.float16)[:n])
    yield from _double(memory.view(np.float64))
    yield from _complex(memory.view(np.complex64))
    yield _sparse(memory.view(np.float32)[:n // 4])


def _limits(memory, n):
    single, words = memory.view(np.float32), memory.view(np.uint32)
    plan, key, tensor = SamplerPlan((n,), words.dtype, word, ()), Key(1, 1), _tensor(single)
    yield Row("plain fill, float32", n, _works(numpy=lambda: single.fill(1.0),
                                               torch=torch and (lambda: tensor.fill_(1.0))))
    yield Row("raw words, uint32", n, _works(fanin=lambda: materialize_range(plan, key, 0, words),
                                             mkl=MKL and (lambda: MKL.words(words))))
    yield _constant(single)
    yield _constant(memory.view(ml_dtypes.bfloat16)[:n])
    yield _constant(memory.view(np.complex64))


def _constant(out):
    tensor = _tensor(out)
    return Row(f"Constant, {out.dtype.name}", len(out), _works(
        fanin=scheme_work(fanin.Constant(1.0), out),
        numpy=lambda: out.fill(1.0),
        torch=torch and (lambda: tensor.fill_(1.0))), main=out.dtype == np.float32)


def _single(out):
    n, few, generator = len(out), len(out) // 4, np.random.default_rng(1)
    tensor = _tensor(out)
    random = jax and jax.random
    yield Row("Uniform, float32", n, _works(
        fanin=scheme_work(fanin.Uniform(LOW, HIGH), out),
        torch=torch and (lambda: tensor.uniform_(LOW, HIGH)),
        numpy=lambda: generator.random(out=out, dtype=np.float32),
        jax=jax and (jax_work(lambda key: random.uniform(key, (few,), minval=LOW, maxval=HIGH)), few),
        mkl=MKL and (lambda: MKL.uniform(out, LOW, HIGH))))
    yield Row("Normal, float32", n, _works(
        fanin=scheme_work(fanin.Normal(0.0, STD), out),
        torch=torch and (lambda: tensor.normal_(0.0, STD)),
        numpy=lambda: generator.standard_normal(out=out, dtype=np.float32),
        jax=jax and (jax_work(lambda key: STD * random.normal(key, (few,))), few),
        mkl=MKL and (lambda: MKL.normal(out, 0.0, STD))))
    yield _truncated(out, "±2 std", -2.0, 2.0)
    yield _truncated(out, "[-1, 4] std", -1.0, 4.0)


def _truncated(out, label, lower, upper):
    few, bounds = len(out) // 4, (lower * STD, upper * STD)
    tensor = _tensor(out)
    return Row(f"TruncatedNormal {label}, {out.dtype.name}", len(out), _works(
        fanin=scheme_work(fanin.TruncatedNormal(0.0, STD, lower, upper), out),
        torch=torch and (lambda: torch.nn.init.trunc_normal_(tensor, 0.0, STD, *bounds)),
        jax=jax and (jax_work(lambda key: STD * jax.random.truncated_normal(key, lower, upper, (few,))), few)))


def _scaled(out, distribution, of_torch=None):
    few, tensor = (out.shape[0] // 4, out.shape[1]), _tensor(out)
    of_jax = jax and jax.nn.initializers.variance_scaling(2.0, "fan_in", distribution, in_axis=1, out_axis=0)
    return Row(f"VarianceScaling {distribution}, float32", out.size, _works(
        fanin=scheme_work(fanin.VarianceScaling(2.0, "fan_in", distribution), out),
        torch=of_torch and (lambda: of_torch(tensor)),
        jax=jax and (jax_work(lambda key: of_jax(key, few)), out.size // 4)))


def _half(out):
    name, tensor, few = out.dtype.name, _tensor(out), len(out) // 4
    random = jax and jax.random
    yield Row(f"Uniform, {name}", len(out), _works(
        fanin=scheme_work(fanin.Uniform(LOW, HIGH), out),
        torch=torch and (lambda: tensor.uniform_(LOW, HIGH)),
        jax=jax and (jax_work(lambda key: random.uniform(key, (few,), name, LOW, HIGH)), few)), main=False)
    yield Row(f"Normal, {name}", len(out), _works(
        fanin=scheme_work(fanin.Normal(0.0, STD), out),
        torch=torch and (lambda: tensor.normal_(0.0, STD)),
        jax=jax and (jax_work(lambda key: STD * random.normal(key, (few,), name)), few)), main=False)
    yield Row(f"TruncatedNormal ±2 std, {name}", len(out), _works(
        fanin=scheme_work(fanin.TruncatedNormal(0.0, STD), out),
        jax=jax and (jax_work(lambda key: STD * random.truncated_normal(key, -2, 2, (few,), name)), few)), main=False)


def _double(out):
    n, tensor, few, generator = len(out), _tensor(out), len(out) // 4, np.random.default_rng(1)
    yield Row("Uniform, float64", n, _works(
        fanin=scheme_work(fanin.Uniform(LOW, HIGH), out),
        torch=torch and (lambda: tensor.uniform_(LOW, HIGH)),
        numpy=lambda: generator.random(out=out),
        mkl=MKL and (lambda: MKL.uniform(out, LOW, HIGH))), main=False)
    yield Row("Normal, float64", n, _works(
        fanin=scheme_work(fanin.Normal(0.0, STD), out),
        torch=torch and (lambda: tensor.normal_(0.0, STD)),
        numpy=lambda: generator.standard_normal(out=out),
        mkl=MKL and (lambda: MKL.normal(out, 0.0, STD))), main=False)
    yield Row("TruncatedNormal ±2 std, float64", n, _works(
        fanin=scheme_work(fanin.TruncatedNormal(0.0, STD), out),
        torch=torch and (lambda: torch.nn.init.trunc_normal_(tensor[:few], 0.0, STD, -2 * STD, 2 * STD), few)),
        main=False)


def _complex(out):
    n, tensor, few = len(out), _tensor(out), len(out) // 4
    random = jax and jax.random
    scaled = jax and jax.nn.initializers.variance_scaling(1.0, "fan_in", "truncated_normal", dtype="complex64")
    shape = (few // COLUMNS, COLUMNS)
    yield Row("Uniform, complex64 (a disk)", n, _works(fanin=scheme_work(fanin.Uniform(-1.0, 1.0), out)), main=False)
    yield Row("Normal, complex64", n, _works(
        fanin=scheme_work(fanin.Normal(0.0, STD), out),
        torch=torch and (lambda: tensor.normal_(0.0, STD)),
        jax=jax and (jax_work(lambda key: STD * random.normal(key, (few,), "complex64")), few)), main=False)
    yield Row("TruncatedNormal 2 std, complex64", n, _works(
        fanin=scheme_work(fanin.TruncatedNormal(0.0, STD), out),
        jax=jax and (jax_work(lambda key: scaled(key, shape)), few)), main=False)


def _sparse(memory):
    side = int(len(memory) ** 0.5)
    out = memory[:side * side].reshape(side, side)
    tensor = _tensor(out)
    return Row(f"Sparse 0.9, float32, {side} × {side}", out.size, _works(
        fanin=scheme_work(fanin.Sparse(0.9), out),
        torch=torch and (lambda: torch.nn.init.sparse_(tensor, 0.9))), main=False)


def _works(**works):
    """Those of the libraries that are installed."""
    return {name: work for name, work in works.items() if work is not None}


def _tensor(array):
    """A torch tensor over an array's memory; None without torch."""
    if torch is None:
        return None
    if array.dtype == ml_dtypes.bfloat16:
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def tables(one, many, avx2, cores):
    """The table of one core, that of all cores, from three lists of results."""
    narrow = {row["label"]: row.get("fanin") for row in avx2}
    header = ["one core, G elements/s", "fanin", "torch", "numpy", "JAX", "MKL", "fanin, AVX2", "× torch",
              "× MKL", "× JAX"]
    rows = []
    for row in one:
        rates = {name: row.get(name) for name in ("fanin", "torch", "numpy", "jax", "mkl")}
        rows.append([row["label"], *map(_giga, rates.values()), _giga(narrow.get(row["label"])),
                     *(ratio(rates["fanin"], rates[peer]) for peer in ("torch", "mkl", "jax"))])
    text = table(header, rows)
    if not many:
        return text
    single = {row["label"]: row for row in one}
    header = [f"{cores} cores, G elements/s", "fanin", "× one core", "torch", "× one core", "numpy", "JAX", "MKL"]
    rows = []
    for row in many:
        before = single[row["label"]]
        rows.append([row["label"], _giga(row.get("fanin")), ratio(row.get("fanin"), before.get("fanin")),
                     _giga(row.get("torch")), ratio(row.get("torch"), before.get("torch")),
                     *(_giga(row.get(peer)) for peer in ("numpy", "jax", "mkl"))])
    return text + "\n" + table(header, rows)


def _giga(rate):
    return None if rate is None else rate / 1e9
