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
from outside import ESCAPES, HOSTILE
from scenes import asked
from terminal import Terminal
from wire import BIDI, CONTROLS, INVISIBLE, foreign, tokens

from taskhub_tui.config import Paths
from taskhub_tui.domain.change import Notice
from taskhub_tui.domain.listing import Group, SavedView
from taskhub_tui.domain.model import (
    Action,
    Artifact,
    BlockerKind,
    Choice,
    NoticeKind,
    StageStatus,
    Status,
)
from taskhub_tui.storage import changes, listings, queries, stages
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


def opened(told: Path, size: tuple[int, int] = (120, 36), **more: str) -> Terminal:
    """Open the app in a pty of its own, where a program that is started leaves a trace."""
    script = Path(__file__).with_name("hostile.py")
    env = environment(TASKHUB_TOLD=str(told), PYTHONPATH=str(Path(__file__).parent), **more)
    return Terminal([sys.executable, str(script)], env, size)


def environment(**more: str) -> dict[str, str]:
    """Return the environment of a plain terminal."""
    known = ("NO_COLOR", "TMUX", "STY", "DISPLAY")
    return {name: value for name, value in os.environ.items() if name not in known} | more


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


# Every list, dialog and field, one after the other

ON_DISK = "[@click=app.quit]q [b [red]r \x1b]52;c;SEVJTA==\x07\x9b31m\x90E\x9c\u202e\u200b\n\r$x"
"""As much of it as the name of a file may have."""


def as_toml(text: str) -> str:
    """Return a text of TOML, which takes any character as a number."""
    return '"' + "".join(f"\\U{ord(one):08X}" for one in text) + '"'


def draw_pictures(folder: Path) -> list[Path]:
    """Draw a picture that holds more text than points, and one that is none."""
    from PIL import Image, PngImagePlugin

    good, bad = folder / f"PICTURE {ON_DISK}.png", folder / f"NOPICTURE {ON_DISK}.png"
    said = PngImagePlugin.PngInfo()
    said.add_text("Comment", HOSTILE)
    said.add_itxt("Title", HOSTILE, "en", HOSTILE)
    Image.new("RGB", (8, 8), (90, 160, 220)).save(good, pnginfo=said)
    bad.write_bytes(b"\x89PNG\r\n\x1a\n" + HOSTILE.encode())
    return [good, bad]


async def plant_more(seed: Seed, where: Paths) -> Path:
    """Write settings, a view, pictures and a folder that are as hostile as the tasks."""
    where.config.write_text(
        f"owner = {as_toml('OWNER ' + HOSTILE)}\ntheme = {as_toml(HOSTILE)}\n"
        f"[keys]\n{as_toml('hub.' + HOSTILE)} = {as_toml(HOSTILE)}\n"
        f'"task.open" = {as_toml("KEY" + HOSTILE)}\n'
        f"[limits.agents]\n{as_toml('LIMITED ' + HOSTILE)} = 3\n"
    )
    await plant(seed, where)
    await asked(
        seed, "ASKS " + HOSTILE, BlockerKind.APPROVAL, "MAY " + HOSTILE, detail=DETAIL, risk="high"
    )
    view = SavedView("HELD " + HOSTILE, "HELDFILTER " + HOSTILE, group=Group.AGENT)
    await seed.store.write(lambda tx: listings.save_view(tx, view, 1.0))
    (first,) = [task for task in await seed.hub.tasks() if task.status is Status.COMPLETED]
    await seed.files(first, *draw_pictures(where.home))
    folder = where.home / f"FOLDER {ON_DISK}"
    folder.mkdir()
    for name in ("[red]r[", "[@click=app.quit]q", "[b", ON_DISK, "[\x1b]0;EVIL\x07"):
        (folder / name).mkdir()
    easy = where.home / "easy"
    easy.symlink_to(folder)
    return easy


def paste(text: str) -> str:
    return f"\x1b[200~{text}\x1b[201~"


# In a busy app a key may be taken together with the escape before it; what obeys does so each time.
@pytest.mark.flaky(reruns=2)
async def test_no_list_dialog_or_field_obeys(seed: Seed, where: Paths, told: Path) -> None:
    easy = await plant_more(seed, where)
    with opened(told, TASKHUB_CALM="1") as terminal:

        def go(*steps: tuple[str, str]) -> None:
            """Press, and wait until something is there, or until it is all painted."""
            for keys, words in steps:
                terminal.press(keys)
                if words:
                    try:
                        terminal.until(words, 5.0)
                    except AssertionError:
                        # A busy app made one key of it and an escape: once more.
                        terminal.press("\x1b")
                        terminal.settle(1.0)
                        terminal.press(keys)
                        terminal.until(words)
                # What comes right after an escape makes one key of both, in an app that is busy.
                if keys == "\x1b" or not words:
                    terminal.settle(0.8 if keys == "\x1b" else 0.3)

        back, list_ = ("\x1b", ""), "PROGRESS"
        terminal.has("ASKS")
        terminal.has("[keys] in")  # What is wrong with the keys, as toasts.
        for _ in range(3):
            terminal.settle(0.3)
            terminal.click(62, 33)
        # The agents; one cannot be used, in its own words.
        go(("A", "PLUGIN"), ("j", "cannot be used"), ("n", ""), back)
        # What would be done to all, and the heads of groups.
        go(("V", "marked"), ("X", "Cancel ·"), ("", ""))
        for line in range(3, 31, 3):  # Not on its keys, of which one closes it.
            terminal.click(30, line)
        terminal.settle(0.7)  # A dialog takes no key for half a second after the last click.
        go(back, ("V", ""), ("B", "Group by"), ("a", list_), ("g", ""), ("\r", ""), ("Z", ""))
        for line in range(2, 9):
            terminal.click(20, line)
        go(("B", "Group by"), ("n", list_))
        # Saved views: by their list, by the palette, and one is deleted.
        go(("W", "HELD"), ("5", "HELDFILTER"), ("\x1b", ""))
        go(("\x10", "a part of"), ("view held", "HELD"), ("\x15", ""), (paste(PASTED), ""), back)
        # A task is found in the palette, and opened.
        go(("\x10", "a part of"), ("asks", "ASKS"), ("\r", "ASKS"), ("\x1b", ""), ("\x1b", list_))
        go(("W", "HELD"), ("jjjj", ""), ("\x18", "Deleted"), ("W", "Views"), ("1", list_))
        go(
            ("w", "A name"),
        )
        go((paste("NAME " + PASTED), "NAME"), ("\r", "Saved as"))
        # The filter with what it knows, and the search in a log.
        go(("/agent:", ""), ("\t", ""), (paste(PASTED), ""), ("\x1b", ""))
        go(("/second\r", ""), ("\r", ""), ("/" + paste("ECHO " + PASTED), "ECHO"))
        go(
            ("\r", ""),
            ("/", ""),
            ("\x15", ""),
            ("[b\r", " of "),
            ("n", ""),
            ("\x1b", ""),
            ("\x1b", ""),
            ("\x1b", ""),
        )
        # Files, pictures, and where a copy goes.
        go(
            ("/first\r", "REPORT"),
            ("\r", ""),
            ("3", "PICTURE"),
            ("jjj", ""),
            ("v", "is no picture"),
        )
        go(("\x1b", "PICTURE"), ("j", ""), ("v", "▀"), ("\x1b", "PICTURE"))
        go(("s", "Save as"), ("\x15", ""), (f"{easy}/[", "[red]r"), ("\t", ""))
        go(
            ("\x15", ""),
            (f"{easy}/none/x\r", "Make"),
            ("\x15", ""),
            (f"{easy}.png\r", "Saved"),
        )
        go(
            ("s", "Save as"),
            ("\x15", ""),
            (f"{easy}.png\r", "already."),
            ("n", ""),
            ("\x1b", "PICTURE"),
        )
        go(("\x1b", ""), ("\x1b", ""), ("\x1b", ""))
        # The form, filled from a past task; a folder whose paths are completed.
        go(
            ("n", "New task"),
            ("\x0f", "Fill the form"),
            (paste(PASTED), ""),
            ("\x15", ""),
            ("second", ""),
        )
        go(
            ("\r", "There is no agent"),
            ("\x1b[Z" * 5, ""),
            ("\x15", ""),
            (f"{easy}/[", "[red]r"),
            ("\t", ""),
        )
        go(("\x1b", "Leave?"), ("y", list_), ("", ""))
        # All that waits, together.
        go(("i", "Needs you"), ("V", "marked"), ("a", "Approve ·"), ("\x1b", "Needs you"))
        go(("\x1b", ""), back)
        # The settings, and a mistake in their file.
        go(
            (",", "OWNER"),
            ("jjjjj", "recorded under"),
            ("\r", ""),
            (paste(PASTED), ""),
            ("\x1b", ""),
        )
        where.config.write_text("owner = [" + HOSTILE.replace("\n", ""), encoding="utf-8")
        go(("c", "Line "), ("\x1b[F", ""), back)
        unharmed(terminal, told)


@pytest.mark.parametrize("one", [False, True], ids=["all", "one"])
async def test_the_view_of_a_shell_obeys_nothing(seed: Seed, where: Paths, one: bool) -> None:
    await plant(seed, where)
    (task,) = [task for task in await seed.hub.tasks() if task.status is Status.IN_PROGRESS]
    argv = [sys.executable, "-m", "taskhub_tui", "watch", *([task.id] if one else [])]
    with Terminal(argv, environment(), (120, 36)) as terminal:
        terminal.until("LASTLINE" if one else "QUESTION")
        terminal.settle(0.5)
        terminal.press("\x03")
        terminal.end()
        own = re.compile(r"\x1b\[[0-9]*[AJK]|\x1b\[[0-9;]*m|\r|\n")
        assert [found for found in tokens(terminal.bytes) if not own.fullmatch(found)] == []
        assert b"Traceback" not in terminal.bytes


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
