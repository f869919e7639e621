"""What machine the figures were taken on."""

import os
import platform
import sqlite3
import tempfile
import time
from datetime import date
from pathlib import Path

from benchmarks.report import number, quantile


def describe() -> list[tuple[str, str]]:
    """Return what a reader must know to compare, as names and values."""
    folder = Path(tempfile.gettempdir())
    cpus = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    per_second, p50, p99 = syncs(folder)
    return [
        ("processor", f"{_processor()}, {cpus} cores"),
        ("memory", f"{_memory()} GiB"),
        ("system", f"{platform.system()} {platform.release()}"),
        (
            "disk",
            f"{_file_system(folder)}; appending 4 KiB with fdatasync: {number(per_second)} /s,"
            f" p50 {p50 * 1e3:.2f} ms, p99 {p99 * 1e3:.2f} ms",
        ),
        ("Python", f"{platform.python_implementation()} {platform.python_version()}"),
        ("SQLite", sqlite3.sqlite_version),
    ]


def now() -> str:
    """Return how busy the machine is just now, which every figure depends on."""
    per_second, _, _ = syncs(Path(tempfile.gettempdir()), 200)
    return f"{date.today()}, load {os.getloadavg()[0]:.1f}, {number(per_second)} syncs/s before"


def syncs(folder: Path, count: int = 500) -> tuple[float, float, float]:
    """Return how many 4 KiB appends a second reach the disk, and their p50 and p99 in seconds."""
    took = []
    with tempfile.NamedTemporaryFile(dir=folder) as file:
        block = os.urandom(4096)
        for _ in range(count):
            began = time.perf_counter()
            os.write(file.fileno(), block)
            (os.fdatasync if hasattr(os, "fdatasync") else os.fsync)(file.fileno())
            took.append(time.perf_counter() - began)
    return count / sum(took), quantile(took, 0.5), quantile(took, 0.99)


def _processor() -> str:
    try:
        for said in Path("/proc/cpuinfo").read_text().splitlines():
            if said.startswith("model name"):
                return said.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _memory() -> str:
    return f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f}"


def _file_system(folder: Path) -> str:
    """Return the kind of file system that holds `folder`; on tmpfs nothing is durable."""
    best, kind = "", "unknown file system"
    try:
        for said in Path("/proc/self/mounts").read_text().splitlines():
            _, point, name, *_ = said.split(" ")
            inside = folder.resolve().is_relative_to(point.replace("\\040", " "))
            if inside and len(point) >= len(best):
                best, kind = point, name
    except OSError:
        pass
    return kind
