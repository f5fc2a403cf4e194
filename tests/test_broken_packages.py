"""Beside an installed package whose entry points are broken: pip installs it into a real environment of its own."""

import os
import re
import site
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

import fanin

TABLE = '{"a.weight": {"shape": [6, 4], "dtype": "F32"}, "a.bias": {"shape": [6], "dtype": "F32"}}'
BROKEN = ("[fanin.schemes]\nmissing = no_such_module:Scheme\nraises = raises:Scheme\nends = ends:Scheme\n"
          "lacks = lacks:Scheme\n")
MODULES = {"raises.py": "raise RuntimeError('two\\nlines')\n", "ends.py": "raise SystemExit('the end')\n",
           "lacks.py": "", "taken.py": "import fanin\n\n\nclass Mine(fanin.Initializer):\n    def plan(self, spec):\n"
                                       "        return spec.draw(None)\n"}


class Environment:
    """A virtual environment that sees fanin and what it needs, and the packages that are installed into it."""

    def __init__(self, folder):
        venv.create(folder, with_pip=False)
        scripts = folder / ("Scripts" if os.name == "nt" else "bin")
        self.python, self.folder = str(scripts / "python"), folder
        self.packages = Path(self._run("-c", "import sysconfig; print(sysconfig.get_path('purelib'))")[0].strip())
        ours = [str(Path(fanin.__file__).parent.parent), *site.getsitepackages()]
        (self.packages / "ours.pth").write_text("\n".join(ours) + "\n")

    def _run(self, *args, status=0):
        env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        done = subprocess.run([self.python, *map(str, args)], capture_output=True, text=True, check=False, env=env,
                              cwd=self.folder)
        assert done.returncode == status, done.stderr
        return done.stdout, done.stderr

    def install(self, name, entry_points):
        """Have pip install a wheel with these entry points."""
        info = f"{name}-1.0.dist-info"
        files = {**MODULES, f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
                 f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
                 f"{info}/entry_points.txt": entry_points}
        files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
        wheel = self.folder / f"{name}-1.0-py3-none-any.whl"
        with zipfile.ZipFile(wheel, "w") as archive:
            for path, text in files.items():
                archive.writestr(path, text)
        subprocess.run([sys.executable, "-m", "pip", "--python", self.python, "install", "--no-index", "--no-deps",
                        "--disable-pip-version-check", "--quiet", wheel], check=True)

    def fanin(self, *args, status=0):
        """Run the command line: (standard output, the lines of standard error)."""
        out, err = self._run("-m", "fanin", *args, status=status)
        return out, err.splitlines()


@pytest.fixture
def environment(tmp_path):
    return Environment(tmp_path)


def test_every_command_works_beside_it(environment):
    """Its names are missing, and nothing else changes: what each command prints is what it prints without it."""
    (environment.folder / "model.json").write_text(TABLE)
    commands = [("list", "--profile", "jax"), ("show", "he_normal"), ("show", "torch:kaiming_uniform"), ("devices",),
                ("spec", "model.json"), ("init", "model.json", "--rules", "transformer", "-o", "model.safetensors",
                                         "--overwrite", "--warnings-as-errors"),
                ("verify", "model.safetensors"), ("audit", "model.safetensors"), ()]
    before = [environment.fanin(*command) for command in commands]
    (environment.folder / "model.safetensors").unlink()
    environment.install("broken", BROKEN)

    assert [environment.fanin(*command) for command in commands] == before
    assert all(err == [] for _, err in before)


def test_who_asks_for_names_is_told(environment):
    """A list of all names, and a look-up that finds none, warn of each entry point: a line, which names the package."""
    names, _ = environment.fanin("list")
    environment.install("broken", BROKEN)

    listed, warned = environment.fanin("list")
    _, refused = environment.fanin("show", "he_norml", status=1)

    assert listed == names
    assert len(warned) == 4
    reasons = {"missing": "no_such_module", "raises": "two lines", "ends": "the end", "lacks": "Scheme"}
    for name, reason in reasons.items():
        (line,) = [line for line in warned if f"'{name}' = " in line]
        assert line.startswith("fanin: warning: the entry point") and "of the package broken 1.0" in line
        assert reason in line and line.endswith("repair or uninstall the package")
        assert environment.fanin("show", name, status=1)[1][-1].startswith("fanin: error: `name` must be")
    assert refused[:4] == warned and "did you mean 'he_normal'" in refused[4]


def test_a_name_that_is_taken_stays_its_owners(environment):
    """A package may not take the name of a scheme of fanin's: the name means what it did, and the list says so."""
    environment.install("broken", "[fanin.schemes]\nnormal = taken:Mine\n")

    _, warned = environment.fanin("list")

    assert len(warned) == 1
    assert re.fullmatch(r"fanin: warning: the entry point 'normal' = 'taken:Mine' of the package broken 1.0 takes .*",
                        warned[0])
    assert environment.fanin("show", "normal")[0].startswith("Normal(")


def test_entry_points_that_cannot_be_read(environment):
    """A package whose list of entry points was damaged hides no other package's."""
    environment.install("good", "[fanin.schemes]\nmine = taken:Mine\n")
    environment.install("damaged", "")
    file = environment.packages / "damaged-1.0.dist-info" / "entry_points.txt"
    file.write_text("[fanin.schemes]\nno equals sign\n")

    out, (warning,) = environment.fanin("list")

    assert re.search(r"^mine\b", out, flags=re.MULTILINE)
    assert "of the package damaged 1.0 can't be read" in warning
