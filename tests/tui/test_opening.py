"""A result is opened by the desktop, or paged, and the user is told which."""

import os
import stat
import sys
from pathlib import Path

import pytest
from hubs import Seed, text, until
from terminal import Terminal

from taskhub_tui.config import Paths
from taskhub_tui.domain.model import Status
from taskhub_tui.hub import Hub
from taskhub_tui.tui import opening, outside
from taskhub_tui.tui.app import TaskHubApp


def program(path: Path, code: str) -> Path:
    path.write_text(f"#!{sys.executable}\n{code}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


async def test_with_a_display_the_desktop_opens_it(
    app: TaskHubApp, seed: Seed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = tmp_path / "asked"
    program(
        tmp_path / "xdg-open", f"import sys; open({str(asked)!r}, 'w').write(repr(sys.argv[1:]))"
    )
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("DISPLAY", ":99")
    monkeypatch.setattr(sys, "platform", "linux")
    report = tmp_path / "-rf [b]report.md"
    report.write_text("# Done")
    await seed.put("Analyse", Status.COMPLETED, result=str(report))
    async with app.run_test(size=(120, 30), notifications=True) as pilot:
        await until(pilot, lambda: "o File" in text(app))
        await pilot.press("o")
        await until(pilot, lambda: "Opened" in text(app))
    assert asked.read_text() == repr([str(report)])


@pytest.fixture
def desktop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A desktop, which writes down what it is asked for; there is no pager."""
    asked = tmp_path / "asked"
    program(
        tmp_path / "xdg-open", f"import sys; open({str(asked)!r}, 'w').write(repr(sys.argv[1:]))"
    )
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("DISPLAY", ":99")
    monkeypatch.setattr(sys, "platform", "linux")
    return asked


@pytest.mark.parametrize("name", ["tool", "page.html", "report.desktop"])
async def test_what_the_desktop_might_run_is_not_handed_to_it(
    app: TaskHubApp, seed: Seed, tmp_path: Path, desktop: Path, name: str
) -> None:
    made = tmp_path / name
    made.write_bytes(b"\x7fELF\0")
    await seed.put("Analyse", Status.COMPLETED, result=str(made))
    async with app.run_test(size=(120, 30), notifications=True) as pilot:
        await until(pilot, lambda: "o File" in text(app))
        await pilot.press("o")
        await until(pilot, lambda: "Not opened outside: only pictures" in text(app))
    assert not desktop.exists()


@pytest.mark.parametrize("size", [(120, 30), (80, 24)])
async def test_a_pipe_as_a_result_stops_nothing(
    app: TaskHubApp, seed: Seed, tmp_path: Path, desktop: Path, size: tuple[int, int]
) -> None:
    pipe = tmp_path / "report.md"
    os.mkfifo(pipe)
    task = await seed.put("Analyse", Status.COMPLETED, result=str(pipe))
    picture = tmp_path / "trend.png"
    os.mkfifo(picture)
    await seed.files(task, picture)
    async with app.run_test(size=size, notifications=True) as pilot:
        await until(pilot, lambda: "Analyse" in text(app))
        await pilot.press("enter", "2")
        await until(pilot, lambda: "is a named pipe, not a file" in text(app), seconds=20)
        await pilot.press("o")
        refused = "cannot be opened: it is a named"
        await until(
            pilot, lambda: any(refused in one.message for one in app._notifications), seconds=20
        )
        await pilot.press("3")
        await until(pilot, lambda: text(app).count("no file") == 2, seconds=20)
        await pilot.press("s")
        await until(pilot, lambda: "Save as" in text(app), seconds=20)
        await pilot.press("ctrl+u", *"copy.md", "enter")
        await until(pilot, lambda: "is a named pipe, not a file" in text(app), seconds=20)
    assert not desktop.exists()
    assert not list(tmp_path.rglob("copy.md"))


async def test_a_file_that_is_gone_is_said_plainly(
    app: TaskHubApp, seed: Seed, tmp_path: Path
) -> None:
    await seed.put("Analyse", Status.COMPLETED, result=str(tmp_path / "gone.md"))
    async with app.run_test(size=(120, 30), notifications=True) as pilot:
        await until(pilot, lambda: "o File" in text(app))
        await pilot.press("o")
        await until(pilot, lambda: "is not there any more" in text(app).replace("\n", " "))


def test_without_a_display_there_is_no_desktop_opener(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "linux")
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    assert outside.opener() is None


@pytest.mark.parametrize("value", ["", "'", "no-such-pager-here"])
def test_a_pager_that_cannot_be_used_gives_way_to_less(
    value: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    less = program(tmp_path / "less", "")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("PAGER", value)
    assert opening.pager() == [str(less)]


async def test_without_a_display_the_pager_gets_the_terminal_and_gives_it_back(
    seed: Seed, tmp_path: Path
) -> None:
    report = tmp_path / "report.md"
    report.write_text("# Done")
    pager = program(
        tmp_path / "page",
        "import os, sys\nprint('PAGING', os.environ['LESSSECURE'], sys.stdin.read())\n"
        "sys.stdout.flush(); open('/dev/tty').readline()",
    )
    await seed.put("Analyse", Status.COMPLETED, result=str(report))
    hidden = ("NO_COLOR", "TMUX", "STY", "DISPLAY", "WAYLAND_DISPLAY")
    env = {k: v for k, v in os.environ.items() if k not in hidden}
    script = Path(__file__).with_name("hostile.py")
    with Terminal([sys.executable, str(script)], {**env, "PAGER": str(pager)}) as terminal:
        terminal.until("Analyse")
        terminal.settle(0.4)
        terminal.press("o")
        terminal.until("PAGING 1 # Done")
        terminal.settle(0.3)
        terminal.press("\r")
        terminal.until("Paged")
        terminal.press("q")
        assert terminal.end() == 0


async def test_a_question_does_not_come_up_under_the_pager_and_take_the_keys(
    seed: Seed, hub: Hub, where: Paths, tmp_path: Path
) -> None:
    where.config.write_text("undo = 0\n")  # What is approved is so at once.
    report = tmp_path / "report.md"
    report.write_text("# Done")
    pager = program(
        tmp_path / "page",
        "import sys\nprint('PAGING', sys.stdin.read())\n"
        "sys.stdout.flush(); open('/dev/tty').readline()",
    )
    await seed.put("Analyse", Status.COMPLETED, result=str(report))
    hidden = ("NO_COLOR", "TMUX", "STY", "DISPLAY", "WAYLAND_DISPLAY")
    env = {k: v for k, v in os.environ.items() if k not in hidden}
    script = Path(__file__).with_name("hostile.py")
    with Terminal([sys.executable, str(script)], {**env, "PAGER": str(pager)}) as terminal:
        terminal.until("Analyse")
        terminal.settle(0.4)
        terminal.press("o")
        terminal.until("PAGING # Done")
        task = await seed.put("Migrate", Status.BLOCKED, question="May it run?")
        # As long as it takes a dialog to come up when nobody types, and to rest.
        terminal.settle(3.0)
        terminal.press("\ra")
        terminal.until("May it run?")
        terminal.settle(1.0)
        assert (await hub.status(task.id)).task.status is Status.BLOCKED
        terminal.press_until("a", "Approved", every=1.0)
        assert (await hub.status(task.id)).task.status is not Status.BLOCKED
        terminal.press("\x11")
        assert terminal.end() == 0


EDITS = """
import os, stat, sys
path = sys.argv[-1]
assert sys.argv[1:-1] == ["--wait"], sys.argv
mode = stat.S_IMODE(os.stat(path).st_mode)
folder = stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode)
text = open(path).read()
print("EDITING", oct(mode), oct(folder), path)
open(path, "w").write(text + "more \\x1b[2J$(rm) words\\n")
"""
EDITOR_APP = """
import sys
from textual.app import App
from taskhub_tui.tui import editor
class Edits(App):
    def on_mount(self): self.run_worker(self.go())
    async def go(self):
        got = await editor.edit(self, "first\\n", ".toml")
        self.exit(message=f"GOT {got!r}")
Edits().run()
print("LEFT")
"""


async def test_an_editor_gets_a_private_file_and_what_comes_back_is_clean(tmp_path: Path) -> None:
    editor = program(tmp_path / "ed it", EDITS)
    script = tmp_path / "app.py"
    script.write_text(EDITOR_APP)
    env = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "EDITOR")}
    env |= {"VISUAL": f"'{editor}' --wait", "TMPDIR": str(tmp_path)}
    with Terminal([sys.executable, str(script)], env) as terminal:
        terminal.until("EDITING 0o600 0o700")
        terminal.until("LEFT")
        assert terminal.end() == 0
        assert b".toml" in terminal.bytes
        assert b"GOT 'first\\nmore $(rm) words\\n'" in terminal.bytes
    assert not list(tmp_path.glob("taskhub-*"))


@pytest.mark.parametrize(
    ("code", "said"),
    [("raise SystemExit(3)", "ended with code 3"), ("", None)],
)
async def test_an_edit_that_changed_nothing_or_failed_gives_nothing(
    tmp_path: Path, code: str, said: str | None
) -> None:
    editor = program(tmp_path / "editor", code)
    script = tmp_path / "app.py"
    # The toast is to be seen before the app ends.
    later = EDITOR_APP.replace("self.exit(", "self.set_timer(1, lambda: self.exit(")
    script.write_text(later.replace('{got!r}")', '{got!r}"))'))
    env = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "VISUAL")}
    env |= {"EDITOR": str(editor), "TMPDIR": str(tmp_path)}
    with Terminal([sys.executable, str(script)], env) as terminal:
        if said:
            terminal.until(said)
        terminal.until("GOT None")
        assert terminal.end() == 0
    assert not list(tmp_path.glob("taskhub-*"))


@pytest.mark.parametrize(
    "link", ["file:///etc/passwd", "javascript:alert(1)", "-x", "http://a b", "https://x\n", ""]
)
async def test_only_web_addresses_are_opened(link: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outside, "opener", lambda: "/bin/false")
    assert (await opening.open_link(link)).startswith("Only addresses")
    assert (await opening.open_link("https://example.org/a?b=c")).endswith("could not be opened")
