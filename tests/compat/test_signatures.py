"""Every name of the five systems, with its signature, its return value and its gains."""

import importlib
import inspect

import numpy as np
import pytest

from compat.interfaces import GAINS, NEW, NOTHING, NUMBER, OTHERS, SAME, SYSTEMS, TORCH_DEPRECATED, functions

ALL = functions()
IDS = [f"{system}.{name}" for system, name, _ in ALL]


def load(system):
    return importlib.import_module(f"fanin.compat.{system}")


def signature(function):
    """The signature without annotations, an enum's member by its name."""
    bare = inspect.signature(function)
    bare = bare.replace(return_annotation=inspect.Signature.empty,
                        parameters=[p.replace(annotation=inspect.Parameter.empty) for p in bare.parameters.values()])
    text = str(bare)
    for parameter in bare.parameters.values():
        text = text.replace(repr(parameter.default), str(parameter.default)) \
            if type(parameter.default).__module__.startswith("fanin") else text
    return text


@pytest.mark.parametrize("system", SYSTEMS)
def test_names(system):
    """A module exports the names of the table, no more and no fewer."""
    assert sorted(load(system).__all__) == sorted([*SYSTEMS[system], *OTHERS.get(system, ())])


@pytest.mark.parametrize(("system", "name", "row"), ALL, ids=IDS)
def test_signatures(system, name, row):
    """Parameters are named, ordered and given defaults as in the system."""
    assert signature(getattr(load(system), name)) == row[0]


@pytest.mark.parametrize(("system", "name", "row"), ALL, ids=IDS)
def test_return_values(system, name, row):
    """In place where the system is, a new float32 array where it makes one, None where it returns none."""
    _, returned, shape, arguments = row
    function = getattr(load(system), name)
    if returned is NEW:
        made = function(shape, *arguments)
        assert made.shape == shape and made.dtype == np.float32
        return
    given = () if shape is None else (np.full(shape, 9.5),)
    result = function(*given, *arguments)
    if returned is NUMBER:
        assert isinstance(result, (int, float)) and result > 0
        return
    assert result is (given[0] if returned is SAME else None)
    assert returned in (SAME, NOTHING)
    assert (given[0] != 9.5).all()


@pytest.mark.parametrize("name", TORCH_DEPRECATED)
def test_torch_warns_of_its_old_names(name):
    """The names without underscore do the same, and tell the caller's line to use the new one."""
    torch = load("torch")
    _, _, shape, arguments = SYSTEMS["torch"][f"{name}_"]
    given, expected = np.empty(shape), np.empty(shape)
    random = {"generator": 3} if "generator" in SYSTEMS["torch"][f"{name}_"][0] else {}
    getattr(torch, f"{name}_")(expected, *arguments, **random)
    with pytest.warns(FutureWarning, match=rf"^`nn\.init\.{name}` is now deprecated in favor of `nn\.init\.{name}_`\.$"
                      ) as warned:
        assert getattr(torch, name)(given, *arguments, **random) is given
    assert warned[0].filename == __file__
    np.testing.assert_array_equal(given, expected)
    assert signature(getattr(torch, name)) == "(*args, **kwargs)"


def test_jittor_aliases():
    """The methods that jittor attaches to a Var under other names are the same functions."""
    jittor = load("jittor")
    assert jittor.fill is jittor.fill_ is jittor.constant_
    assert jittor.normal_ is jittor.gauss_


def test_storch_enums():
    """The members are those of the Scala enums: neither Tanh nor SELU."""
    storch = load("storch")
    assert [each.name for each in storch.Mode] == ["FanIn", "FanOut"]
    assert [each.name for each in storch.NonLinearity] == [
        "Linear", "Conv1D", "Conv2D", "Conv3D", "ConvTranspose1D", "ConvTranspose2D", "ConvTranspose3D", "Sigmoid",
        "ReLU", "LeakyReLU"]


@pytest.mark.parametrize("system", GAINS)
def test_gains(system):
    """calculate_gain has the system's values, knows no other name, and takes an int or float as a slope only."""
    calculate_gain, (values, refused) = load(system).calculate_gain, GAINS[system]
    for name, value in values.items():
        assert calculate_gain(name) == pytest.approx(value, rel=1e-15)
    for name in (*refused, None, ["relu"]):
        with pytest.raises(ValueError, match="`nonlinearity` must be one of"):
            calculate_gain(name)
    assert calculate_gain("leaky_relu", 1) == 1.0
    assert calculate_gain("leaky_relu", 0.2) == pytest.approx((2 / 1.04) ** 0.5, rel=1e-15)
    assert calculate_gain("relu", True) == 2**0.5  # only a slope that is used is looked at
    for slope in (True, "0.1", 1j):
        with pytest.raises(ValueError, match="`param`, the negative slope, must be"):
            calculate_gain("leaky_relu", slope)


def test_storch_gains():
    """calculateGain's default is LeakyReLU with slope 0.01; members only."""
    storch = load("storch")
    gains = {each: storch.calculateGain(each) for each in storch.NonLinearity}
    assert gains.pop(storch.NonLinearity.ReLU) == 2**0.5
    assert gains.pop(storch.NonLinearity.LeakyReLU) == storch.calculateGain() == pytest.approx((2 / 1.0001) ** 0.5)
    assert set(gains.values()) == {1}
    assert storch.calculateGain(storch.NonLinearity.LeakyReLU, 1) == 1.0
    with pytest.raises(TypeError, match="`nonlinearity` must be a NonLinearity"):
        storch.calculateGain("relu")
