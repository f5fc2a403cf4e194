"""What a model's own initialization made, compared with the laws that fanin's built-in sets give."""

import contextlib
import fnmatch
import math
import tomllib
from pathlib import Path

import numpy as np

from fanin import FaninError, Rules
from fanin.torch import init_module

SIGMAS = 5
EXCEPTIONS = tomllib.loads(Path(__file__).with_name("exceptions.toml").read_text("utf-8"))


def lenient(name):
    """A built-in set that leaves what it does not know."""
    return Rules.from_config(Rules.read(name).get_config() | {"strict": False})


def differences(model, *rules):
    """{name of a parameter: (row, what its model made)} where that is the law of none of the rules.

    The row is that of the first rules. What the rules don't know is not compared.
    """
    tables, found = [_table(model, rules[0])], {}
    for others in rules[1:]:
        with contextlib.suppress(FaninError):  # `torch` needs a weight beside a bias
            tables.append(_table(model, others))
    for rows in zip(*tables, strict=True):
        known = [row for row in rows if row.scheme is not None]
        if not known or not math.prod(known[0].parameter.shape):
            continue
        values = values_of(model, known[0].parameter.name)
        if not any(agree(values, row) for row in known):
            found[known[0].parameter.name] = known[0], law_of(values)
    return found


def _table(model, rules):
    return init_module(model, rules, seed=0, partial=True, dry_run=True)


def values_of(model, name):
    path, _, key = name.rpartition(".")
    return getattr(model.get_submodule(path), key).detach().double().cpu().numpy()


def agree(values, row):
    """Whether the values are of the row's law: equal to constants, else mean and std within 5 sigma of it."""
    padding = row.parameter.layer.padding_idx
    if padding is not None:
        if values[padding].any():
            return False
        values = np.delete(values, padding, 0)
    if row.plan.mean is None or row.plan.std is None or padding is not None:  # of an array, or of rows apart
        made = row.scheme(row.parameter.shape, "float64", seed=1, name="law")
        made = made if padding is None else np.delete(made, padding, 0)
        if np.allclose(values, made, rtol=1e-6):
            return True
        mean, std = made.mean(), made.std()
    else:
        mean, std = row.plan.mean, row.plan.std
    if std == 0:
        return bool((values == mean).all())
    error = std / math.sqrt(values.size)
    return abs(values.mean() - mean) < SIGMAS * error and abs(values.std() / std - 1) < SIGMAS / math.sqrt(values.size)


def law_of(values):
    """Values in words."""
    if (values == values.flat[0]).all():
        return f"{values.flat[0]:.6g}"
    return f"mean {values.mean():.4g}, std {values.std():.4g}"


def unexplained(name, found):
    """The differences of an architecture that no exception is made for."""
    left = {}
    for parameter, (row, law) in found.items():
        drawn = row.plan.std != 0 and row.label.startswith(("Normal", "Uniform", "VarianceScaling"))
        table = EXCEPTIONS["weights" if drawn else "constants"]
        if not any(fnmatch.fnmatchcase(name, entry.partition("/")[0])
                   and fnmatch.fnmatchcase(parameter, entry.partition("/")[2] or "*")
                   for entries in table.values() for entry in entries):
            left[parameter] = f"{row.label}, not {law}"
    return left
