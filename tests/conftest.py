"""One cache of compiled code per run, the devices that `each_device` stands for, and a line that says which they were.

`--device NAME` (repeatable) adds a device to the CPU. Where the machine lacks it the run fails: nothing is skipped.
"""

import os
import shutil
import tempfile
from collections import Counter

import pytest

# Before anything imports numba. Workers and subprocesses inherit it, so each kernel is compiled once in a run.
_own_cache = None
if "NUMBA_CACHE_DIR" not in os.environ:
    _own_cache = os.environ["NUMBA_CACHE_DIR"] = tempfile.mkdtemp(prefix="fanin-tests-")


def pytest_addoption(parser):
    parser.addoption("--device", action="append", default=[], metavar="NAME",
                     help="a device to test besides the CPU; repeatable; the run fails where it is absent")


def _devices(config):
    return list(dict.fromkeys(["cpu", *config.getoption("device")]))


def pytest_configure(config):
    from fanin import FaninError, Uniform

    for device in _devices(config)[1:]:
        try:
            Uniform()(1, device=device, seed=0)
        except FaninError as error:
            raise pytest.UsageError(f"--device {device}: {error}") from None


def pytest_unconfigure():
    if _own_cache is not None:
        shutil.rmtree(_own_cache, ignore_errors=True)


def pytest_generate_tests(metafunc):
    if "each_device" in metafunc.fixturenames:
        metafunc.parametrize("each_device", _devices(metafunc.config), indirect=True)


@pytest.fixture
def each_device(request, record_property):
    """Each device of this run."""
    record_property("device", request.param)
    return request.param


def pytest_terminal_summary(terminalreporter, config):
    ran = Counter(dict(report.user_properties).get("device") for outcome in ("passed", "failed")
                  for report in terminalreporter.stats.get(outcome, []))
    line = ", ".join(f"{device} ({ran[device]} tests)" for device in _devices(config))
    terminalreporter.write_line(f"devices tested: {line}")
