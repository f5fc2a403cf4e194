"""How many threads this process may keep busy: its affinity, its cgroup's CPU quota, and what OpenMP is told."""

from __future__ import annotations

import functools
import os
from pathlib import Path


def thread_limit() -> int:
    """The most threads that may work for the calling one at a time, itself included."""
    limits = (_processors(), _quota(Path("/")), _openmp_threads())
    return min(limit for limit in limits if limit is not None)


def _processors() -> int:
    """Those that the calling thread may run on."""
    if hasattr(os, "process_cpu_count"):  # from Python 3.13 on
        return os.process_cpu_count() or 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@functools.cache
def _openmp_threads() -> int | None:
    """OMP_NUM_THREADS, or of a list of them, one for each level of nesting, the first; None without one."""
    first = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(first) or None if first.isdecimal() else None


@functools.cache
def _quota(root: Path) -> int | None:
    """The whole cores of the least CPU quota of this process' cgroup and those around it; None without one.

    Rounded down, but to 1 at least: a process that uses more than its quota stands still for the rest of a period,
    which is a tenth of a second.

    Args:
        root: where the file systems /proc and /sys are found.
    """
    try:
        quotas = [quota for folder in _cgroups(root) for quota in _quotas_of(folder)]
    except (OSError, ValueError, ZeroDivisionError):  # another system than Linux, or one that hides it
        return None
    return max(1, int(min(quotas))) if quotas else None


def _cgroups(root: Path) -> list[Path]:
    """The folders of this process' cgroup and of those around it, in each hierarchy that limits CPU time."""
    own = {}  # the path inside a hierarchy, by the type of its file system
    for line in (root / "proc/self/cgroup").read_text().splitlines():
        number, controllers, path = line.split(":", 2)
        if number == "0":
            own["cgroup2"] = path
        elif "cpu" in controllers.split(","):
            own["cgroup"] = path
    folders: list[Path] = []
    # in the encoding of paths: a mount of another file system may have any bytes in its name, and none in its source's
    for line in os.fsdecode((root / "proc/self/mountinfo").read_bytes()).splitlines():
        mounted, _, system = line.partition(" - ")
        inside, place = mounted.split()[3:5]  # which part of the hierarchy is mounted, and where
        kind, options = system.split()[0], system.split()[-1]
        if kind in own and (kind == "cgroup2" or "cpu" in options.split(",")):
            cgroup = Path(own[kind])
            # in a container it may be the host's path, which can't be seen from inside: what is mounted is its own
            below = cgroup.relative_to(inside) if cgroup.is_relative_to(inside) else Path()
            mount = root / place.lstrip("/")
            folders += [mount / below, *(mount / parent for parent in below.parents)]
    return folders


def _quotas_of(folder: Path) -> list[float]:
    """The cores that a cgroup's processes may keep busy together, if that is limited."""
    if (folder / "cpu.max").exists():  # version 2
        quota, period = (folder / "cpu.max").read_text().split()
        return [] if quota == "max" else [int(quota) / int(period)]
    if (folder / "cpu.cfs_quota_us").exists():  # version 1
        quota, period = ((folder / f"cpu.cfs_{name}_us").read_text() for name in ("quota", "period"))
        return [] if int(quota) < 0 else [int(quota) / int(period)]
    return []
