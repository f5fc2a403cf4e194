"""Specs that need a package which is not installed say which, and how to get it; nothing else needs it."""

import subprocess
import sys

import pytest

from fanin import FaninRuntimeError
from fanin.checkpoint import read_spec


@pytest.mark.parametrize(("package", "source"), [("onnx", "model.onnx"), ("torch", "net.py:net")])
def test_a_missing_package_is_named(tmp_path, monkeypatch, package, source):
    """One line with the feature, the package and the command that installs it; the user's code has not run."""
    (tmp_path / "model.onnx").write_bytes(b"")
    (tmp_path / "net.py").write_text("raise SystemExit('run')")
    for name in [name for name in sys.modules if name == f"fanin.{package}" or name.startswith(f"fanin.{package}.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(FaninRuntimeError, match=package) as caught:
        read_spec(tmp_path / source)

    assert "\n" not in str(caught.value)
    assert "pip install" in str(caught.value)


def test_tables_and_folders_load_no_framework(tmp_path):
    """Reading names and shapes imports neither torch nor onnx."""
    (tmp_path / "model.json").write_text('{"w": {"shape": [2], "dtype": "F32", "layer": {"types": ["Linear"]}}}')
    code = ("import sys; from fanin.checkpoint import read_spec; read_spec('model.json'); "
            "print({'torch', 'onnx', 'numba'} & set(sys.modules))")

    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, timeout=60)

    assert (done.stdout, done.stderr) == ("set()\n", "")
