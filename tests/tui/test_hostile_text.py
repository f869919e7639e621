"""Text from outside reaches the terminal as text, whatever it holds.

The app runs in a real pty; every byte it writes is looked at. Titles and notes are put into the
store past the sanitising at its border, as if that had failed, so that the widgets and the last
guard are tested too.
"""

import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hubs import Seed, text, until
from outside import ESCAPES, HOSTILE
from scenes import asked
from terminal import Terminal
from wire import BIDI, CONTROLS, INVISIBLE, foreign

from taskhub_tui.config import Paths
from taskhub_tui.domain.change import Notice
from taskhub_tui.domain.model import (
    Action,
    Artifact,
    BlockerKind,
    Choice,
    NoticeKind,
    StageStatus,
    Status,
)
from taskhub_tui.storage import changes, queries, stages
from taskhub_tui.tui.app import TaskHubApp
from taskhub_tui.tui.widgets.detail import Detail
from taskhub_tui.tui.widgets.tabs import TABS


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


@pytest.fixture
def told(tmp_path: Path) -> Path:
    """Where the app under test writes its clipboard when it has left by itself."""
    return tmp_path / "told"


def opened(told: Path, size: tuple[int, int] = (120, 36)) -> Terminal:
    """Open the app in a pty of its own, where a program that is started leaves a trace."""
    script = Path(__file__).with_name("hostile.py")
    env = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "TMUX", "STY", "DISPLAY")}
    env |= {"TASKHUB_TOLD": str(told), "PYTHONPATH": str(Path(__file__).parent)}
    return Terminal([sys.executable, str(script)], env, size)


def unharmed(terminal: Terminal, told: Path) -> None:
    """Check that nothing was obeyed: by the terminal, by the app, and at its end."""
    assert terminal.status is None, "Something in the text ended the app"
    assert foreign(terminal.bytes) == []
    assert b"Traceback" not in terminal.bytes
    terminal.press("\x11")
    terminal.settle(1.0)
    if terminal.status is None:
        terminal.press("\x11")  # Where a key came to stand in a form it asks once.
    assert terminal.end() == 0
    assert foreign(terminal.bytes, left=True) == []
    assert told.read_text(encoding="utf-8") == "", "an action has filled the clipboard"


async def test_no_byte_of_outside_text_is_obeyed_by_a_terminal(
    seed: Seed, where: Paths, told: Path
) -> None:
    await plant(seed, where)
    with opened(told) as terminal:
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
            terminal.press("j\r")
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
        unharmed(terminal, told)


# The dialogs: what is asked, proposed, and offered

DETAIL = {
    "argv": ["deploy", HOSTILE],
    "diff": f"--- a\n+++ b\n-{HOSTILE}\n+{HOSTILE}",
    "arguments": {HOSTILE: HOSTILE, "list": [HOSTILE, {"deep": HOSTILE}]},
    "reason": HOSTILE,
    HOSTILE: HOSTILE,
}


@pytest.mark.parametrize("kind", list(BlockerKind))
async def test_no_question_is_obeyed(seed: Seed, told: Path, kind: BlockerKind) -> None:
    choices = tuple(Choice(str(n), f"CHOICE {HOSTILE}") for n in range(3))
    await asked(
        seed,
        "[/x]" + HOSTILE,
        kind,
        "QUESTION " + HOSTILE,
        detail=DETAIL,
        choices=choices if kind is BlockerKind.INPUT else (),
        names=("one", HOSTILE),
        risk="high",
    )
    with opened(told) as terminal:
        terminal.until("QUESTION")
        terminal.settle(0.8)
        for key in "cmtdX":  # Each form that is legal here, and back.
            terminal.press(key)
            terminal.settle(0.4)
            terminal.press("\x1b")
            terminal.settle(0.3)
        for line in range(2, 35, 2):
            terminal.click(40, line)
        terminal.settle(0.5)
        terminal.press("\x1b")
        terminal.settle(0.3)
        unharmed(terminal, told)


# All else that shows words of others

# Terminals take ESC out of what is pasted; the rest of it comes as it is.
PASTED = HOSTILE.replace("\x1b", "")


async def news(seed: Seed) -> None:
    """Have a task completed, fail, and tell of it, while the app is open."""
    task = await seed.put("soon " + HOSTILE, Status.IN_PROGRESS, agent=HOSTILE)
    made = Artifact(task.id, 0, HOSTILE.replace("/", ""), HOSTILE, HOSTILE, 7, 1.0)
    await seed.store.write(lambda tx: stages.artifact(tx, task.n, 0, made, main=False))
    change = replace(await seed.now(task), status=Status.COMPLETED, summary="SUMMARY " + HOSTILE)
    notice = Notice(NoticeKind.COMPLETED, "TOLD " + HOSTILE, HOSTILE, (Action.APPROVE,))
    await seed.store.write(
        lambda tx: changes.write_decided(
            tx, changes.Change(change, notice=notice), by=HOSTILE, channel=HOSTILE
        )
    )


async def test_no_news_agent_or_echo_is_obeyed(seed: Seed, where: Paths, told: Path) -> None:
    await seed.put("A calm one")
    with opened(told) as terminal:
        terminal.until("A calm one")
        terminal.settle(1.0)
        await news(seed)
        terminal.until("TOLD")  # as a toast
        terminal.settle(0.5)
        terminal.click(100, 32)
        terminal.press("g]]]")
        terminal.until("anded over")
        terminal.settle(0.5)
        terminal.press("i")
        terminal.until("Latest")
        for line in range(2, 12):
            terminal.click(10, line)
            terminal.settle(0.1)
        terminal.press("\x1b")
        terminal.settle(0.5)
        terminal.press("/")
        terminal.settle(0.3)
        terminal.press(f"\x1b[200~ECHO {PASTED}\x1b[201~")
        terminal.until("ECHO")
        terminal.settle(0.3)
        terminal.press("\x1b\x1b")
        terminal.settle(0.5)
        terminal.press("n")
        terminal.until("New task")
        terminal.press(f"\x1b[200~deploy {PASTED}\x1b[201~")
        terminal.until("PLUGIN")  # It is suggested for its keyword.
        terminal.press("\t\r")  # Its name in the list of agents.
        terminal.settle(0.5)
        terminal.press("\x1b")
        terminal.settle(0.2)
        terminal.press("\x1b")
        terminal.settle(0.2)
        terminal.press("y")
        terminal.settle(0.5)
        unharmed(terminal, told)


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


@pytest.mark.parametrize("escape", ESCAPES)
def test_the_test_itself_sees_every_sort_of_escape(escape: str) -> None:
    for written in (escape.encode(), escape.encode("latin-1")):
        assert foreign(b"\x1b[1;1Hred" + written + b"\x1b[0m") != []


@pytest.mark.parametrize("one", [*CONTROLS, *BIDI, *INVISIBLE])
def test_the_test_itself_sees_every_character_that_must_not_be_there(one: str) -> None:
    assert (foreign(f"a{one}b".encode()) != []) is (one not in "\r\n")
