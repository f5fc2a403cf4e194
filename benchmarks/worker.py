"""One section in a process of its own: `python -m benchmarks.worker '{"section": ...}'` prints its results as JSON."""

import contextlib
import dataclasses
import importlib
import json
import os
import subprocess
import sys

# What limits the libraries to one thread where a process can't be bound to a core.
ONE_THREAD = {name: "1" for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
# numba compiles for this processor instead of the one it runs on: a Haswell of 2013.
AVX2 = {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx2,+fma,+bmi,+bmi2"}


@dataclasses.dataclass(frozen=True)
class Settings:
    """What a section is asked to measure."""

    section: str
    n: int = 2**26
    threads: int = 1
    quick: bool = False
    alone: bool = False  # fanin without the others

    @property
    def turns(self):
        return 2 if self.quick else 7


def run(settings, environment=()):
    """The results of a section, from a fresh process: bound to one core for one thread, so that no library has more."""
    limits = ONE_THREAD if settings.threads == 1 else {}
    finished = subprocess.run([sys.executable, "-m", "benchmarks.worker", json.dumps(dataclasses.asdict(settings))],
                              stdout=subprocess.PIPE, check=True, text=True,
                              env={**os.environ, "JAX_PLATFORMS": "cpu", **limits, **dict(environment)})
    return json.loads(finished.stdout)


def main():
    settings = Settings(**json.loads(sys.argv[1]))
    if settings.threads == 1 and hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    with contextlib.redirect_stdout(sys.stderr):
        results = importlib.import_module(f".{settings.section}", __package__).measure(settings)
    print(json.dumps(results))


if __name__ == "__main__":
    main()
