"""What type checkers make of fanin: of the installed package, and of programs that use it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
PROGRAMS = ("users_code.py", "users_model.py")
LEAST = 0.95


def run(*command):
    """Run a checker outside the clone, so that it finds the installed package and no settings of ours."""
    return subprocess.run([sys.executable, "-m", *command], cwd=FOLDER.parent.parent.parent, capture_output=True,
                          text=True, check=False, env={**os.environ, "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"})


def mypy(cache, *programs):
    """mypy --strict; the cache spares later runs numpy's stubs."""
    return run("mypy", "--strict", "--config-file=", f"--cache-dir={cache}", *map(str, programs))


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("mypy")


def test_users_programs_pass_mypy_strict(cache):
    """What a user writes by the documentation needs no cast and no ignore."""
    done = mypy(cache, *(FOLDER / program for program in PROGRAMS))

    assert done.returncode == 0, done.stdout


def test_users_programs_pass_pyright():
    """Likewise for pyright, which editors use."""
    done = run("pyright", *(str(FOLDER / program) for program in PROGRAMS))

    assert done.returncode == 0, done.stdout


def test_mistakes_are_found(cache, tmp_path):
    """Types are narrow enough that a checker tells what would raise."""
    mistakes = ["fanin.Normal(std='0.02')", "fanin.VarianceScaling(mode='fan_inn')", "fanin.Normal()((2, 3), dtype=3j)",
                "fanin.Normal()((2, 'x'))", "fanin.Normal().standard", "fanin.Rules.of(3.5)"]
    program = tmp_path / "wrong.py"
    program.write_text("\n".join(["import fanin", *mistakes]), "utf-8")

    done = mypy(cache, program)

    assert [mistake for line, mistake in enumerate(mistakes, 2) if f"wrong.py:{line}: error" not in done.stdout] == []


def test_the_public_interface_is_typed():
    """pyright knows the types of 95 % and more of the public names; it lists those that it does not.

    The hooks of modules, `__dir__` and `__getattr__`, are no names that anybody writes.
    """
    done = run("pyright", "--verifytypes", "fanin", "--ignoreexternal", "--outputjson")
    found = json.loads(done.stdout)["typeCompleteness"]
    public = [symbol for symbol in found["symbols"] if symbol["isExported"] and not symbol["name"].endswith("__")]
    unknown = [symbol["name"] for symbol in public if not symbol["isTypeKnown"]]

    assert len(public) > 100 and 1 - len(unknown) / len(public) >= LEAST, unknown
