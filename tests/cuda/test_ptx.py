"""The PTX that numba-cuda and NVVM make of every kernel: what may be in it, for four architectures, without a GPU."""

import importlib
import pkgutil
import re

import pytest

import fanin._kernels
from fanin._backends.cuda import variants as backend
from fanin._dtypes import COMPLEX, FLOATING, as_dtype, real_type
from ptx import text
from ptx.build import COPIES
from ptx.cases import CASES
from ptx.machine import HALVES
from ptx.offline import ARCHITECTURES, lower
from ptx.offline import ptx as ptx_of
from ptx.operations import operation

EACH_CASE = pytest.mark.parametrize("case", CASES)
EACH_BUILD = pytest.mark.parametrize("case", [*CASES, *COPIES])


def kernels(built):
    for (_, architecture), ptx in built.texts.items():
        yield architecture, ptx


# -- what is compiled -------------------------------------------------------------------------------------------------


def drawn():
    plans = [windows[0].plan for windows in CASES.values()]
    return {(plan.sampler.__name__, plan.storage.name, plan.parts) for plan in plans}, \
        {(plan.mask.__name__, plan.storage.name, plan.parts) for plan in plans if plan.mask}


def test_every_sampler_with_every_storage_type():
    """All samplers of fanin's kernels, found in its modules, and a user's, with the types that they can draw."""
    modules = [importlib.import_module(f"fanin._kernels.{found.name}")
               for found in pkgutil.iter_modules(fanin._kernels.__path__)]
    samplers = {value.__name__: value for module in modules for value in vars(module).values()
                if callable(value) and hasattr(value, "takes")}
    real = [(real_type(as_dtype(dtype)).name, 1) for dtype in FLOATING]
    complex_ = [(real_type(as_dtype(dtype)).name, 2) for dtype in COMPLEX]
    patterns = [("uint8", 1), ("uint16", 1), ("uint32", 1), ("uint64", 1)]
    special = {"word": [("uint32", 1)], "constant": patterns, "constant_pair": [("uint64", 2)],
               "uniform": [("float64", 1)],  # and float32 where bounds are closer than 2**-100
               "uniform_inside": [("float32", 1)],  # only plans for float32 use it
               **{name: [storage for storage in real if storage[0] != "float64"]  # nor float64 these
                  for name in ("truncated_lopsided", "uniform_clamped")}}
    expected = {("laplace", *storage) for storage in real}
    for name, sampler in samplers.items():
        both = complex_ if sampler.__module__.endswith(".complex") else real
        expected |= {(name, *storage) for storage in special.get(name, both)}

    assert drawn()[0] == expected
    assert {("diagonal", *storage) for storage in [*patterns, ("uint64", 2)]} <= drawn()[1]
    assert {("dirac", *storage) for storage in [*patterns, ("uint64", 2)]} <= drawn()[1]
    assert {("kept", *storage) for storage in real + complex_} <= drawn()[1]


# -- what may be in it ------------------------------------------------------------------------------------------------

FORBIDDEN = re.compile(r"\.(approx|ftz|full|rz|rm|rp|sat)\b|\b(ex2|lg2|sin|cos|tanh|rsqrt|call|trap)\b|__nv_|\.func\b"
                       r"|\.local\b|\.shared\b|\.extern\b")


@EACH_BUILD
def test_no_inexact_instruction_and_no_call(builds, case):
    """Nothing approximate, flushed or rounded another way, no libdevice, no call, no local memory."""
    for architecture, ptx in kernels(builds[case]):
        assert FORBIDDEN.findall(ptx) == [], architecture
        for opcode in re.findall(r"\b(?:sqrt|rcp|div|fma|cvt)\.[\w.]*f(?:32|64)[\w.]*", ptx):
            # conversions to a wider float are exact
            assert ".rn." in opcode or opcode == "cvt.f64.f32", (architecture, opcode)


@EACH_CASE
def test_no_double_precision_in_single(builds, case):
    """float64 has a 64th of float32's rate on most GPUs: it is there only where the storage type asks for it, and in
    tables, whose angles need it."""
    plan = CASES[case][0].plan
    if plan.sampler.takes == "place":
        return
    for architecture, ptx in kernels(builds[case]):
        doubles = re.findall(r"[.\w]*\.f64", ptx.partition("{")[2])
        assert plan.storage.itemsize == 8 or not doubles, architecture


@EACH_CASE
def test_whole_blocks_are_stored_by_one_instruction(builds, case):
    """Each kernel has a store as wide as its block of four numbers, or of two of 8 bytes."""
    storage = CASES[case][0].plan.storage
    block = 16 if storage.itemsize == 8 else 4 * storage.itemsize
    for architecture, ptx in kernels(builds[case]):
        stores = re.findall(r"st\.global(?:\.v(\d))?\.[bfu](\d+)\b", ptx)
        assert block in {int(count or 1) * int(width) // 8 for count, width in stores}, architecture


@EACH_BUILD
def test_three_architectures_have_one_ptx(builds, case):
    """7.5, 8.0 and 9.0 differ in the line that names them alone, so what is executed for one is proven for all."""
    texts = builds[case].texts
    for kernel in {kernel for kernel, _ in texts}:
        same = {texts[kernel, (major, minor)].replace(f".target sm_{major}{minor}", ".target")
                for major, minor in ARCHITECTURES[:3]}
        assert len(same) == 1
        assert f".target sm_{ARCHITECTURES[3][0]}" in texts[kernel, ARCHITECTURES[3]]


def test_the_architecture_that_a_gpu_is_given(builds):
    """From 9.0 on numba-cuda compiles for sm_90a and the like: the same PTX but for the line that names them."""
    case = "normal-float32"
    plan = CASES[case][0].plan
    variant = backend.variant(plan.sampler, plan.mask, plan.storage, plan.parts)
    library = lower(variant.run, backend.run_signature(plan.params, plan.mask_params))
    for major, minor in ARCHITECTURES[2:]:
        special = ptx_of(library, (major, minor, "a"), f"{case}_run".replace("-", "_"))
        assert f".target sm_{major}{minor}a" in special
        assert special.replace(f"sm_{major}{minor}a", f"sm_{major}{minor}") == builds[case].texts["run", (major, minor)]


@EACH_BUILD
def test_the_interpreter_knows_every_opcode(builds, case):
    """Also those that no window happens to reach."""
    for _, ptx in kernels(builds[case]):
        for instruction in text.parse(ptx).instructions:
            if instruction.opcode not in HALVES and instruction.opcode.split(".")[0] not in ("ld", "st", "bra", "ret"):
                operation(instruction.opcode)
