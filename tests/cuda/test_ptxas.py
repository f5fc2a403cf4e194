"""The machine code that ptxas makes of every kernel's PTX, for four architectures, without a GPU."""

from concurrent.futures import ThreadPoolExecutor
from itertools import product

import pytest

from ptx.build import COPIES, RANKS
from ptx.cases import CASES
from ptx.offline import ARCHITECTURES, assemble, merge

EACH_ARCHITECTURE = pytest.mark.parametrize("architecture", ARCHITECTURES, ids=lambda cc: "{}.{}".format(*cc))
FUSED_OR_NOT = ("FFMA", "FMUL", "FADD", "DFMA", "DMUL", "DADD")


LOOSE = """
.version 8.5
.target sm_75
.address_size 64
.visible .entry loose(.param .u64 out, .param .f32 a, .param .f32 b, .param .f32 c)
{
    .reg .f32 %f<6>;
    .reg .b64 %rd<3>;
    ld.param.u64 %rd1, [out];
    ld.param.f32 %f1, [a];
    ld.param.f32 %f2, [b];
    ld.param.f32 %f3, [c];
    mul.f32 %f4, %f1, %f2;
    add.f32 %f5, %f4, %f3;
    cvta.to.global.u64 %rd2, %rd1;
    st.global.f32 [%rd2], %f5;
    ret;
}
"""


@pytest.fixture(scope="session")
def machine_code(builds, tmp_path_factory):
    """{(architecture, whether ptxas may fuse): {kernel: Assembled}}, all kernels of an architecture as one module."""
    folder = tmp_path_factory.mktemp("ptxas")
    modules = {architecture: merge([ptx for case in (*CASES, *COPIES) for (_, of), ptx in builds[case].texts.items()
                                    if of == architecture])
               for architecture in ARCHITECTURES}
    jobs = list(product(ARCHITECTURES, (True, False)))
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda job: assemble(modules[job[0]], job[0], folder, job[1]), jobs))
    return dict(zip(jobs, done, strict=True))


def test_all_kernels_are_there(machine_code):
    """All that were compiled, for each architecture: the tests below look at each of them."""
    wanted = 2 * len(CASES) + len(COPIES) + sum(map(len, RANKS.values()))
    assert {len(kernels) for kernels in machine_code.values()} == {wanted}


@EACH_ARCHITECTURE
def test_no_spills_and_no_stack(machine_code, architecture, record_property):
    """Everything stays in registers, few enough for 256 threads a block on every multiprocessor."""
    kernels = machine_code[architecture, True]
    registers = [kernel.registers for kernel in kernels.values()]
    record_property("registers", f"{min(registers)} to {max(registers)}")

    assert {name: (kernel.stack, kernel.spills) for name, kernel in kernels.items()
            if kernel.stack or kernel.spills} == {}
    assert max(registers) <= 128


@EACH_ARCHITECTURE
def test_ptxas_fuses_nothing(machine_code, architecture):
    """With `-fmad=true` and `-fmad=false` as many fused and unfused operations, in each kernel."""
    free, forbidden = (machine_code[architecture, fuse] for fuse in (True, False))
    for name in free:
        counts = [{opcode: kernels[name].instructions[opcode] for opcode in FUSED_OR_NOT}
                  for kernels in (free, forbidden)]
        assert counts[0] == counts[1], name


@EACH_ARCHITECTURE
def test_ptxas_would_fuse_what_was_left_to_it(machine_code, architecture, tmp_path):
    """The power of the test above: a product and a sum that are not written as fma do change with the option."""
    counts = [assemble(LOOSE, architecture, tmp_path, fuse)["loose"].instructions for fuse in (True, False)]
    assert [count["FFMA"] for count in counts] == [1, 0]
    assert [count["FMUL"] for count in counts] == [0, 1]


@EACH_ARCHITECTURE
def test_no_double_precision_in_single(machine_code, architecture):
    """No float64 arithmetic or conversion in the machine code of a kernel for 4-byte or narrower numbers but in tables,
    whose angles need it."""
    plans = {case: windows[0].plan for case, windows in CASES.items()}
    narrow = {f"{case}_{kernel}".replace("-", "_") for case, kernel in product(CASES, ("run", "strided"))
              if plans[case].storage.itemsize < 8 and plans[case].sampler.takes != "place"}
    assert narrow
    for name in narrow:
        opcodes = machine_code[architecture, True][name].instructions
        assert not {"DADD", "DMUL", "DFMA", "DSETP", "DMNMX", "F2F"} & opcodes.keys(), name


@EACH_ARCHITECTURE
@pytest.mark.parametrize(("case", "store"), [("normal-float32", "STG.E.128"), ("normal-float64", "STG.E.128"),
                                             ("normal-bfloat16", "STG.E.64"), ("normal-complex128", "STG.E.128")])
def test_vector_stores_reach_the_machine_code(machine_code, architecture, case, store):
    """16 bytes a thread and store, 8 for the half types: neighbouring threads fill whole cache lines."""
    assert store in machine_code[architecture, True][f"{case}_run".replace("-", "_")].code
