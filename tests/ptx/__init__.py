"""An interpreter for the PTX that numba-cuda makes of fanin's kernels: a GPU's program, run and checked without one."""
