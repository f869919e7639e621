"""Text from outside reaches the terminal as text, whatever it holds.

The app runs in a real pty; every byte it writes is looked at. Titles and notes are put into the
store past the sanitising at its border, as if that had failed, so that the widgets and the last
guard are tested too.
"""

import os
import re
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hubs import Seed, text, until
from terminal import Terminal

from taskhub_tui.config import Paths
from taskhub_tui.domain.model import StageStatus, Status
from taskhub_tui.storage import queries
from taskhub_tui.tui.app import TaskHubApp
from taskhub_tui.tui.widgets.detail import Detail
from taskhub_tui.tui.widgets.tabs import TABS

BIDI = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c\u2028\ufeff"
CONTROLS = "".join(map(chr, [*range(1, 32), *range(127, 160)])) + BIDI
MARKUP = ("[@click=app.quit]quit[/]", "[/x/y]", "[/]", "[b", "[red]r[/red]", "[[", "$x [link=x]")
ESCAPES = (
    "\x1b]52;c;SEVJTA==\x07",
    "\x1b]0;EVIL\x07",
    "\x1b]2;EVIL\x1b\\",
    "\x1b]8;;file:///EVIL\x07link\x1b]8;;\x07",
    "\x1b[6n",
    "\x1b[2J",
    "\x1bPEVIL\x1b\\",
    "\x9b31m",
    "\x9d0;EVIL\x9c",
    "\x1bc",
)
HOSTILE = " ".join((*MARKUP, *ESCAPES)) + CONTROLS

# What Textual's driver and this app write: colours, moves, modes, questions, and our two titles.
_OWN = re.compile(
    rb"\x1b\[[0-9;:]*[mHJKtu]"
    rb"|\x1b\[[<>=?][0-9;]*[uhlsSmc]"
    rb"|\x1b\[\?[0-9;]+\$p"
    rb"|\x1b\[[0-9]+ q"
    rb"|\x1b\[(?:c|6n|14t|16t|18t)"
    rb"|\x1b\]2;(?:! [0-9]+ \xc2\xb7 )?TaskHub\x07"
    # What the user copies on purpose, which is clean and encoded.
    rb"|\x1b\]52;c;[A-Za-z0-9+/=]*\x07"
    rb"|\x1b\]22;[a-z-]+\x07"
    rb"|\x1b[78=>]|\x1b\(B"
    rb"|\x1bP=[12]s\x1b\\"
    rb"|\x1b_G[^\x1b]*\x1b\\"
)


def foreign(written: bytes) -> list[str]:
    """Return what a terminal would obey and that the app has no reason to write."""
    rest = _OWN.sub(b"", written).decode("utf-8", "replace")
    return re.findall(f"[{re.escape(CONTROLS)}][^\x1b]{{0,12}}", re.sub("[\r\n\t]", "", rest))


async def plant(seed: Seed, where: Paths) -> None:
    """Write tasks whose every text is hostile, past the sanitising."""
    report = where.home / "report.md"
    report.write_text(
        f"# REPORT {HOSTILE}\n\n{HOSTILE}\n\n```\n{HOSTILE}\n```\n\n|{HOSTILE}|\n|-|\n|x|\n"
    )
    options = {HOSTILE: HOSTILE}
    first = await seed.put(
        HOSTILE + "first", Status.COMPLETED, result=str(report), note=HOSTILE, options=options
    )
    await seed.files(first, *(where.home / f"FILE{n}{HOSTILE.replace('/', '')}" for n in range(2)))
    stages = await seed.store.read(lambda r: queries.stages_of(r, first, checked=False))
    said = {
        "usage": {"cost_usd": 1, "model": HOSTILE},
        "follow_ups": [{"title": "NEXT " + HOSTILE, "request": HOSTILE, "agent": HOSTILE}],
    }
    output = {"text": HOSTILE, "data": said}
    done = replace(stages[0], status=StageStatus.DONE, output=output, error=HOSTILE)
    await seed.become(await seed.now(first), [done])
    log = await seed.put(
        "second" + HOSTILE,
        Status.IN_PROGRESS,
        names=(HOSTILE, "[/]"),
        note=HOSTILE,
        agent=HOSTILE,
    )
    # The log's own border is passed by as well.
    said = [*ESCAPES, *(f"a{one}b" for one in CONTROLS if one not in "\n\r"), HOSTILE, "LASTLINE"]
    where.log(log.id).write_bytes("".join(f"1.0\tagent\t{one}\n" for one in said).encode())
    await seed.put("[/third]", Status.FAILED, error="MISTAKE " + HOSTILE)
    await seed.put("[/fourth]" + HOSTILE, Status.BLOCKED, question="QUESTION " + HOSTILE)


async def test_no_byte_of_outside_text_is_obeyed_by_a_terminal(seed: Seed, where: Paths) -> None:
    await plant(seed, where)
    script = Path(__file__).with_name("hostile.py")
    env = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TMUX", "STY")}
    with Terminal([sys.executable, str(script)], env, (120, 36)) as terminal:
        terminal.until("QUESTION")
        terminal.settle(0.7)
        terminal.press_until("\x1b", "MISTAKE", every=2.0)
        # Through the rows and the tabs, with a click on each line of both panes.
        for _ in range(2):
            terminal.settle(0.7)
            terminal.press("\x1b")
        terminal.settle(0.3)
        terminal.press("jj")
        terminal.until("LASTLINE")
        terminal.press("\rg")  # The whole log, whose first lines are the escapes.
        for _ in range(4):
            terminal.settle(0.2)
            terminal.press("\x04")
        terminal.press("\x1b")
        terminal.settle(0.3)
        terminal.press("]]")
        terminal.settle(0.3)
        terminal.press("G")
        terminal.settle(0.5)
        # Its tabs one after the other, with what each can do; a search for what is hostile.
        terminal.press("\r")
        terminal.settle(0.7)
        terminal.press("2")
        terminal.until("REPORT")
        terminal.press("uG")
        terminal.settle(1.0)
        assert b"NEXT" in terminal.bytes
        for tab, word in (("3", "FILE1"), ("4", "anded over"), ("5", "Options")):
            terminal.press_until(tab, word, every=0.5)
            terminal.press("jy\r")
            terminal.settle(0.3)
        terminal.press("/[")
        terminal.settle(0.5)
        terminal.press("\x1b")
        terminal.settle(0.3)
        for line in range(1, 8):
            terminal.click(25, line)
        for line in range(1, 30, 3):
            terminal.click(82, line)
        terminal.settle(0.5)
        assert terminal.status is None, "Something in the text ended the app"
        assert foreign(terminal.bytes) == []
        assert b"EVIL\x07" not in terminal.bytes
        assert b"Traceback" not in terminal.bytes
        terminal.press("\x11")
        assert terminal.end() == 0


async def test_markup_is_shown_and_not_obeyed(app: TaskHubApp, seed: Seed, where: Paths) -> None:
    await plant(seed, where)
    app.asker.consider = lambda: None  # type: ignore[method-assign]
    async with app.run_test(size=(200, 50), notifications=True) as pilot:
        await until(pilot, lambda: "[/fourth][@click=app.quit]quit[/]" in text(app))
        detail = app.query_one(Detail)
        for place in range(4):
            app.screen.table.cursor = place
            task = app.screen.table.here
            await until(
                pilot,
                lambda task=task: detail.view is not None and detail.view.task.id == task.id,
            )
            for tab in TABS:
                detail.action_show_tab(tab)
                await pilot.pause()
                await until(pilot, lambda tab=tab: tab == "log" or detail.content.count > 0)
        app.notify(HOSTILE, markup=False)
        await pilot.pause()
        assert app.is_running


@pytest.mark.parametrize("number", range(len(ESCAPES)))
def test_the_test_itself_sees_every_sort_of_escape(number: int) -> None:
    assert foreign(b"\x1b[1;31mred" + ESCAPES[number].encode()) != [] or ESCAPES[number] in (
        "\x1b[6n",
        "\x1b[2J",
    )
