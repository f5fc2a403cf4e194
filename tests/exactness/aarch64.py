"""Golden hashes on Arm: a small Debian and the Arm wheels of what fanin needs, emulated by QEMU. A minute a case.

    python tests/exactness/aarch64.py FOLDER [CASE ...]

Run it as root on a Debian with the packages qemu-user-static and debootstrap. FOLDER keeps what was downloaded, some
700 MB unpacked. A case is a key of tests/vectors/golden.json; without any it is a few that reach each kind of sampler
and storage.
"""

import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import fanin

TESTS = Path(__file__).parent.parent
PYTHON = "3.11"  # of Debian 12
NEEDED = ["llvmlite", "ml_dtypes", "numba", "numpy"]
PLATFORMS = [f"manylinux_2_{minor}_aarch64" for minor in (17, 26, 27, 28, 34, 35)] + ["manylinux2014_aarch64"]
CASES = [f"{preset} (7, 33)" for preset in (
    "uniform float32", "uniform float64", "normal float32", "normal float64", "normal complex64", "he_normal float16",
    "truncated_normal float32", "truncated_normal bfloat16", "far tail float32", "sparse float32",
    "he_uniform complex128")]
CHECK = """
import platform, sys, time
from vectors import make_golden as m

cases, golden = m.cases(), m.recorded()[1]
different = 0
for case in sys.argv[1:]:
    began = time.perf_counter()
    scheme, *what = cases[case]
    same = m.digest(scheme(*what, seed=m.SEED, name=m.NAME)) == golden[case]
    different += not same
    verdict = "same" if same else "DIFFERENT"
    print(platform.machine(), case, verdict, f"({time.perf_counter() - began:.0f} s)", flush=True)
sys.exit(different)
"""


def debian(root):
    """Unpack a small Debian for Arm, with Python; nothing of it is installed or run on the way."""
    subprocess.run(["debootstrap", "--arch=arm64", "--foreign", "--variant=minbase",
                    f"--include=python{PYTHON}-minimal,libpython{PYTHON}-stdlib", "bookworm", root], check=True)
    for package in sorted(root.glob("var/cache/apt/archives/*.deb")):
        subprocess.run(["dpkg", "-x", package, root], check=True)


def wheels(folder, site):
    """Unpack the Arm wheels of the versions that are installed here, and fanin itself."""
    platforms = [word for name in PLATFORMS for word in ("--platform", name)]
    subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--dest", folder, "--no-deps",
                    "--only-binary=:all:", "--implementation", "cp", "--python-version", PYTHON, *platforms,
                    *(f"{name}=={version(name)}" for name in NEEDED)], check=True)
    for wheel in folder.glob("*.whl"):
        zipfile.ZipFile(wheel).extractall(site)


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    for tool in ("debootstrap", "qemu-aarch64-static"):
        if not shutil.which(tool):
            sys.exit(f"{tool} is not installed: apt-get install debootstrap qemu-user-static")
    work = Path(sys.argv[1]).resolve()
    root, site, cache = work / "root", work / "site", work / "cache"
    work.mkdir(parents=True, exist_ok=True)
    python = root / "usr" / "bin" / f"python{PYTHON}"
    if not python.exists():
        debian(root)
    if not site.exists():
        wheels(work / "wheels", site)
    shutil.copytree(Path(fanin.__file__).parent, site / "fanin", dirs_exist_ok=True)
    environment = {"PYTHONPATH": f"{site}:{TESTS}", "NUMBA_CACHE_DIR": str(cache), "HOME": str(work)}
    done = subprocess.run(["qemu-aarch64-static", "-L", root, python, "-c", CHECK, *(sys.argv[2:] or CASES)],
                          env=environment)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
