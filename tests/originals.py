"""Recipes compared with the code that they are of: the law of each parameter, drawn by both."""

import math

import numpy as np
import torch
from scipy import stats

from fanin.torch import init_module

# 5 sigma for a std, and for Kolmogorov and Smirnov's distance a false alarm of 1e-6 in each comparison
SIGMAS, FALSE_ALARM = 5, 1e-6
ENOUGH = 500  # numbers whose extremes tell bounds: of fewer they differ by more than the allowed third by chance


def compare_with_original(build, recipe, *, seed=7, draws=1):
    """Assert that a recipe gives each parameter of `build()` the law that its own code gave it.

    `build` makes the model as its own code does, under torch's seed; `draws` such models are pooled, so that small
    tensors have enough elements. Constants are compared exactly; others by mean, std, bounds and distribution.
    """
    originals, ours, table = [], [], None
    for number in range(draws):
        torch.manual_seed(number)
        originals.append({name: tensor.detach().clone() for name, tensor in build().named_parameters()})
        model = build()
        table = init_module(model, recipe, seed=seed + number)
        ours.append({name: tensor.detach().clone() for name, tensor in model.named_parameters()})
    assert originals[0].keys() == ours[0].keys()
    for name in originals[0]:
        compare(name, *(np.concatenate([each[name].double().numpy().ravel() for each in models])
                        for models in (originals, ours)))
    return table


def compare(name, theirs, mine):
    """Assert that two samples are of one law."""
    if np.ptp(theirs) == 0 or np.ptp(mine) == 0:
        np.testing.assert_array_equal(mine, theirs, err_msg=name)
        return
    if np.allclose(mine, theirs, rtol=1e-6, atol=0):  # not drawn at random, such as Mamba's A
        return
    nonzero = theirs != 0  # a padding row; a normal number is zero once in millions
    assert ((mine != 0) != nonzero).mean() < 1e-4, f"{name}: other elements are zero"
    theirs, mine = theirs[nonzero], mine[nonzero]
    count, std = theirs.size, theirs.std()
    kurtosis = stats.kurtosis(theirs, fisher=False)
    error = std * math.sqrt((kurtosis - 1) / (4 * count) * 2)  # of the difference of two such estimates
    assert abs(mine.std() - std) < SIGMAS * error, f"{name}: std {mine.std():.5g}, of the original {std:.5g}"
    assert abs(mine.mean() - theirs.mean()) < SIGMAS * std * math.sqrt(2 / count), f"{name}: mean"
    assert stats.ks_2samp(theirs[:100_000], mine[:100_000]).pvalue > FALSE_ALARM, f"{name}: another distribution"
    if count < ENOUGH:
        return
    reach = np.abs(theirs).max() / np.abs(mine).max()
    assert 1 / 1.35 < reach < 1.35, f"{name}: other bounds, {np.abs(mine).max():.5g} and {np.abs(theirs).max():.5g}"
