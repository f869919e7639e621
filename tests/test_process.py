"""A process is known by more than its number."""

import os
import subprocess
from dataclasses import replace

from taskhub_tui.process import Identity, identity


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
