"""Speed of fanin, torch, numpy, JAX and MKL on the same work in one run: `python -m benchmarks` from the root."""
