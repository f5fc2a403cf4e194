"""`fanin completion`, in the shells themselves: at a terminal of their own, where TAB is pressed."""

import os
import shutil
import subprocess
import sys

import pytest

from fanin import Registry
from fanin.cli import main
from fanin.rules._files import rule_sets

pytestmark = pytest.mark.skipif(os.name != "posix", reason="bash, zsh and fish at pseudo-terminals are POSIX's")

# How each shell is started without anybody's settings, and what its user writes into them.
SHELLS = {
    "bash": (["--norc", "--noprofile", "-i"], 'eval "$(fanin completion bash)"'),
    "zsh": (["-f", "-i"], 'autoload -U compinit; compinit -D -u; eval "$(fanin completion zsh)"'),
    "fish": (["--no-config", "-i"], "fanin completion fish | source"),
}
# What is typed before TAB, and what stands there then.
COMPLETED = [
    ("fanin verif", "verify "),
    ("fanin show he_n", "he_normal"),
    ("fanin show jax:he_n", "jax:he_normal"),
    ("fanin show uniform hig", "high="),
    ("fanin list --prof", "--profile"),
    ("fanin list --profile stor", "storch"),
    ("fanin init table.json --rules transf", "transformer"),
    ("fanin init table.json --rules mine", "mine.toml"),
    ("fanin init table.json --dtype bf", "bfloat16"),
    ("fanin init table.json --layout j", "jax"),
    ("fanin init tab", "table.json"),
    ("fanin completion fi", "fish"),
]


@pytest.fixture(scope="module", params=SHELLS)
def shell(request, tmp_path_factory):
    """An interactive shell, in a folder with two files, with the command and its completions."""
    import pexpect

    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    folder = tmp_path_factory.mktemp(request.param)
    for name in ("table.json", "mine.toml"):
        (folder / name).write_text("{}")
    command = folder / "bin" / "fanin"  # as pip writes it
    command.parent.mkdir()
    command.write_text(f"#!{sys.executable}\nimport sys\nfrom fanin.cli import main\nsys.exit(main())\n")
    command.chmod(0o755)
    options, settings = SHELLS[request.param]
    path = f"{command.parent}{os.pathsep}{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "TERM": "dumb", "HOME": str(folder)}
    child = pexpect.spawn(request.param, options, cwd=folder, env=env, encoding="utf-8", timeout=60,
                          dimensions=(50, 200))
    child.sendline(f"{settings}; echo rea''dy")
    child.expect("ready")
    yield child
    child.close(force=True)


@pytest.mark.parametrize(("typed", "completed"), COMPLETED)
def test_tab_completes(shell, typed, completed):
    """Commands, options, names, profiles, rule sets, files: what begins as typed, where it fits."""
    begun = typed.split()[-1]
    shell.send(typed)
    shell.expect_exact(begun)

    shell.send("\t")

    shell.expect_exact(completed.removeprefix(begun))
    shell.sendcontrol("u")  # an empty line again
    shell.sendline("echo nex''t")
    shell.expect("next")


def offered(line, folder):
    """The words, but for options, that the shells' functions are told for a line."""
    answer = folder / "answer"
    asked = {"_ARGCOMPLETE": "1", "_ARGCOMPLETE_IFS": "\n", "_ARGCOMPLETE_STDOUT_FILENAME": str(answer),
             "COMP_LINE": line, "COMP_POINT": str(len(line)), "COMP_TYPE": ""}
    subprocess.run([sys.executable, "-m", "fanin"], env={**os.environ, **asked}, cwd=folder, check=True)
    return {word.strip() for word in answer.read_text().splitlines() if not word.startswith("-")}


def test_every_name_is_offered(tmp_path):
    """Rule sets, recipes among them, and schemes for --rules; schemes and profiles to show; nothing else."""
    schemes = set(Registry.names())

    assert offered("fanin init table.json --rules ", tmp_path) == {*rule_sets(), *schemes}
    assert offered("fanin show ", tmp_path) == {*schemes, *(f"{profile}:" for profile in Registry.profiles())}
    assert offered("fanin show --profile keras ", tmp_path) == set(Registry.names("keras"))


@pytest.mark.parametrize("name", SHELLS)
def test_the_script_is_one_that_the_shell_reads(name, capsys):
    """What is printed has no fault in the shell's syntax."""
    assert main(["completion", name]) == 0

    script = capsys.readouterr().out
    assert "fanin" in script
    if shutil.which(name) is not None:
        assert subprocess.run([name, "-n"], input=script, text=True, capture_output=True, check=True).stderr == ""
