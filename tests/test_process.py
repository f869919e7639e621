"""A process is known by more than its number."""

import os
import signal
import subprocess
from dataclasses import replace

from taskhub_tui.process import LATE, Identity, identity


def test_this_process_is_here_and_not_gone() -> None:
    me = identity()
    assert me.pid == os.getpid()
    assert me.here
    assert not me.gone()


def test_a_number_that_was_given_to_another_process_is_gone() -> None:
    assert replace(identity(), start="1").gone()


def test_a_process_of_an_earlier_boot_is_gone() -> None:
    assert replace(identity(), boot="before").gone()


def test_what_runs_elsewhere_is_never_said_to_be_gone() -> None:
    assert not Identity("elsewhere", "x", 1, "1").gone()


def test_a_process_is_gone_as_soon_as_it_has_ended_even_unwaited_for() -> None:
    process = subprocess.Popen(["sleep", "60"])
    who = identity(process.pid)
    assert not who.gone()
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert who.gone(), "a zombie does no work"
    process.wait()
    assert who.gone()


def test_a_worker_that_runs_is_reckoned_with_past_its_lease_and_not_for_ever() -> None:
    me = identity()
    assert me.alive(until=10.0, now=11.0)
    assert not me.alive(until=10.0, now=10.0 + LATE)
    assert not replace(me, host="elsewhere").alive(until=10.0, now=11.0)
    assert replace(me, host="elsewhere").alive(until=10.0, now=9.0)


def test_a_worker_that_was_stopped_has_its_lease_and_no_more() -> None:
    process = subprocess.Popen(["sleep", "60"])
    try:
        who = identity(process.pid)
        os.kill(process.pid, signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        assert who.alive(until=10.0, now=9.0)
        assert not who.alive(until=10.0, now=11.0)
        os.kill(process.pid, signal.SIGCONT)
        os.waitid(os.P_PID, process.pid, os.WCONTINUED | os.WNOWAIT)
        assert who.alive(until=10.0, now=11.0)
    finally:
        process.kill()
        process.wait()
    assert not who.alive(until=10.0, now=9.0)


def test_a_number_in_another_container_means_another_process() -> None:
    me = identity()
    named, _, place = me.boot.partition(" ")
    assert place
    there = replace(me, boot=f"{named} pid:[1]", pid=2**22 + 1)
    assert not there.gone()
    assert there.alive(until=10.0, now=9.0)
    assert not there.alive(until=10.0, now=11.0), "it cannot be seen whether it runs"
    assert replace(me, boot=named).alive(until=10.0, now=9.0), "as an earlier version wrote it"
