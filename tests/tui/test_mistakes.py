"""A mistake of TaskHub's own: a sentence on the screen, its traceback in a private file."""

import logging
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hubs import Seed
from play import Play
from terminal import Terminal

from taskhub_tui.config import Paths
from taskhub_tui.diagnosis import RECENT
from taskhub_tui.domain.model import Status
from taskhub_tui.tui import mistakes
from taskhub_tui.tui.background import start

FAULTY = Path(__file__).with_name("faulty.py")


def doctor() -> str:
    argv = [sys.executable, "-m", "taskhub_tui", "doctor"]
    return subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False).stdout


@pytest.mark.slow
async def test_a_mistake_leaves_its_traceback_in_a_private_file_and_a_sentence_names_it(
    seed: Seed, where: Paths
) -> None:
    where.config.write_text("idle_exit = 1\n")  # The worker leaves, as nothing is to be done.
    await seed.put("A calm one", Status.COMPLETED)
    env = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "TMUX")}
    with Terminal([sys.executable, str(FAULTY)], env, (80, 24)) as terminal:
        terminal.until("A calm one")
        assert not where.app_log.exists()
        terminal.press("/")
        terminal.until("did not work (RuntimeError)")
        terminal.has("app.log")
        terminal.press("\x1b")
        noted = where.app_log.read_text(encoding="utf-8")
        assert "Traceback" in noted
        assert "in known_values" in noted
        assert "RuntimeError: no such  part" in noted
        assert "\x1b" not in noted
        assert stat.S_IMODE(where.app_log.stat().st_mode) == 0o600
        # And one that nothing can be done about but to end.
        terminal.click(12, 1)
        assert terminal.end() == 70
        # Lines end where the terminal does.
        said = re.sub(r"\s+", " ", terminal.bytes.decode("utf-8", "replace"))
        assert "this is a bug in TaskHub: ZeroDivisionError: counts of nothing" in said
        assert f"Pleasereportitwiththefile{where.app_log};" in said.replace(" ", "")
        assert "Traceback" not in said
    noted = where.app_log.read_text(encoding="utf-8")
    assert "in on_click" in noted
    assert "it met a bug: ZeroDivisionError: counts of nothing" in doctor()
    long_ago = where.app_log.stat().st_mtime - RECENT - 60
    os.utime(where.app_log, (long_ago, long_ago))
    assert "it met a bug" not in doctor()


async def test_mistakes_of_any_number_stay_small(where: Paths, monkeypatch) -> None:
    monkeypatch.setattr(mistakes, "LIMIT", 2000)
    log = logging.getLogger("taskhub.app")
    with mistakes.kept(where.app_log):
        log.error("no traceback, so it is no mistake")
        for number in range(50):
            try:
                raise KeyError(f"number {number}")
            except KeyError:
                log.exception("once more")
    files = sorted(where.home.glob("app.log*"))
    assert [file.name for file in files] == ["app.log", "app.log.1"]
    assert all(file.stat().st_size < 4000 for file in files)
    assert "number 49" in where.app_log.read_text(encoding="utf-8")
    assert "no traceback" not in "".join(file.read_text(encoding="utf-8") for file in files)
    log.error("afterwards", exc_info=KeyError("afterwards"))
    assert "afterwards" not in where.app_log.read_text(encoding="utf-8")


async def test_a_file_that_cannot_be_written_hinders_nobody(play: Play, where: Paths) -> None:
    async def broken() -> None:
        raise KeyError("no such part")

    # A link to elsewhere is not followed.
    where.app_log.symlink_to(where.home / "elsewhere")
    with mistakes.kept(where.app_log):
        async with play(80, 24, mistakes=where.app_log) as t:
            start(t.app.screen, broken)
            await t.sees("That did not work (KeyError)")
    assert not (where.home / "elsewhere").exists()
