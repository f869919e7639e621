"""Processes by identity: pid, start time and boot, so that a reused pid never fools us."""

import asyncio
import contextlib
import os
import signal
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from taskhub_tui.agents.command import runner

_MY_BOOT: list[str | None] = []


def this_boot() -> str | None:
    """Return the identity of the running boot, read once."""
    if not _MY_BOOT:
        _MY_BOOT.append(runner.boot_id())
    return _MY_BOOT[0]


def alive(who: Mapping[str, Any] | None) -> bool:
    """Tell whether the very process that `who` names still runs; zombies do not."""
    if not who or not isinstance(who.get("pid"), int) or who.get("start") is None:
        return False
    return bool(who.get("boot") == this_boot() and runner.start_time(who["pid"]) == who["start"])


def members(session: int) -> list[int]:
    """Return the pids of the living processes of a session.

    Only Linux tells; elsewhere the leader stands for all as long as its group has members.
    """
    if not os.path.exists("/proc/self/stat"):
        try:
            os.killpg(session, 0)
        except (ProcessLookupError, PermissionError):
            return []
        return [session]
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        with contextlib.suppress(OSError, IndexError):
            fields = Path("/proc", name, "stat").read_bytes().rsplit(b")", 1)[1].split()
            if int(fields[3]) == session and fields[0] not in (b"Z", b"X"):
                found.append(int(name))
    return found


def send(session: int, number: signal.Signals) -> None:
    """Signal the group of a session's leader, and those who left the group for one of their own."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(session, number)
    for pid in members(session):
        with contextlib.suppress(OSError):
            if os.getpgid(pid) != session:
                os.kill(pid, number)


async def stop(session: int, grace: float, tell: Callable[[str], None]) -> None:
    """End all processes of a session: INT, after `grace` seconds TERM, after as many more KILL.

    A second cancellation while waiting means hurry: KILL at once. Processes that made a session
    of their own (daemons) are not found.
    """
    try:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            if not members(session):
                return
            tell(f"Sent {number.name} to the command.")
            send(session, number)
            until, pause = time.monotonic() + (5 if number is signal.SIGKILL else grace), 0.01
            while members(session) and time.monotonic() < until:
                await asyncio.sleep(pause)
                pause = min(pause * 1.5, 0.2)
    except asyncio.CancelledError:
        send(session, signal.SIGKILL)
        raise
