"""Runs front_door.py in a Python of its own, and holds what it finds to the laws of looking around."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

ASKED = Path(__file__).parent / "front_door.py"
EXTRAS = {"torch": "torch", "jax": "jax", "keras": "keras", "dask": "dask[array]"}
INTERNAL = re.compile(r"_(?!_\w+__$)")


def ask(path, **variables):
    """What tests/front_door.py finds with these folders as the path, and none of the environment's packages."""
    done = subprocess.run([sys.executable, "-S", "-W", "ignore::DeprecationWarning", str(ASKED)], capture_output=True,
                          text=True, check=False, timeout=300,
                          env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, path))} | variables)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def check(found):
    """The laws of looking around, whatever is installed."""
    here = set(found["here"])
    assert {"checkpoint", "compat", "math", "rules", "stream", "compat.torch", "compat.jax", "compat.keras"} <= here
    assert found["hasattr"] == {name: name in here for name in [*EXTRAS, "nonsense"]}
    assert found["autospec"]
    assert set(found["all"][""]) <= set(found["members"])
    assert set(found["star"][""]) & {"math", "stream", *EXTRAS} == set()
    for name, public in found["all"].items():
        assert [each for each in found["dir"][name] if INTERNAL.match(each)] == []
        assert set(public) <= set(found["dir"][name])
        assert found["star"][name] == sorted(set(public))
        text = found["help"][name]
        assert re.search(r">>> |\bimport fanin\b", text.partition("\nDATA")[0].partition("\nCLASSES")[0]), name
        for each in public:
            assert name == "compat" or re.search(rf"\b{each}\b", text), (name, each)
    assert {f"fanin.{name}" for name in ("Registry", "Rules", "checkpoint", "math", "seed")} <= set(found["tab"])
    assert {f"fanin.{name}" for name in EXTRAS} - set(found["tab"]) == set()
