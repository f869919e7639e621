"""The result of a task: its report, what is left of a failed one, and what could be done next."""

import asyncio
import stat
from collections.abc import Sequence
from pathlib import Path

from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip

from taskhub_tui import regular
from taskhub_tui.domain.errors import TaskHubError
from taskhub_tui.domain.model import Status, TaskView
from taskhub_tui.domain.reported import FollowUp, follow_ups
from taskhub_tui.hub import Hub
from taskhub_tui.text import clean, one_line
from taskhub_tui.tui.widgets.markdown_view import LIMIT, MarkdownView

_MARKDOWN = (".md", ".markdown")
_PLAIN = (".txt", ".log", ".csv", ".tsv", ".json", ".toml", ".yaml", ".yml", ".xml", ".py", ".sh")
_PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp")
_LAST_LINES = 20


class ResultView(MarkdownView):
    """Shows the result, with suggested follow-ups as numbered actions at its end."""

    class FollowUpWanted(Message):
        """The user has chosen what to do next."""

        def __init__(self, chosen: FollowUp) -> None:
            super().__init__()
            self.chosen = chosen

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._next: Sequence[FollowUp] = ()

    def show_result(self, source: str, folder: Path | None, view: TaskView, *, keep: bool) -> None:
        """Show the result of a task, as `report` returns it."""
        self._next = follow_ups(view.stages) if view.task.status is Status.COMPLETED else ()
        self.show(source, folder, keep=keep)
        if self.is_mounted:
            self.screen.refresh_bindings()

    def after(self) -> list[Strip]:
        if not self._next:
            return []
        key, words = self.theme_style("needs", bold=True), self.theme_style("foreground")
        lines = [Strip([]), Strip([Segment("What next", self.theme_style("running", bold=True))])]
        lines.append(Strip([]))
        for number, one in enumerate(self._next, 1):
            lines.append(Strip([Segment(f"  {number}  ", key), Segment(one.title, words)]))
        return lines

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action == "follow_up":
            return isinstance(parameters[0], int) and parameters[0] <= len(self._next)
        return super().check_action(action, parameters)

    def action_follow_up(self, number: int) -> None:
        """Open the form for a new task with the follow-up that has this number."""
        self.post_message(self.FollowUpWanted(self._next[number - 1]))

    def on_click(self, event: events.Click) -> None:
        y = self.line_at(event.y)
        first = len(self._lines) - len(self._next)
        if y is not None and self._next and y >= first and not self.text_selection:
            event.stop()
            self.action_follow_up(y - first + 1)


async def report(hub: Hub, view: TaskView) -> tuple[str, Path | None]:
    """Return the result of a task as Markdown, and the folder it lies in."""
    task = view.task
    source, folder = await asyncio.to_thread(_report, view)
    if task.status is Status.FAILED:
        why = clean(task.error or "It failed, and nothing says why")
        parts = ["## It failed", "", _quoted(why)]
        try:
            chunk = await hub.read_log(task.id, -16_384)
        except TaskHubError:
            chunk = None
        if chunk is not None and chunk.lines:
            last = "\n".join(line.text[:2000] for line in chunk.lines[-_LAST_LINES:])
            parts += ["", "## The last lines of its log", "", fenced(last)]
        if task.result is not None or view.artifacts:
            parts += ["", "## What it had made", "", source]
        return "\n".join(parts), folder
    return source, folder


def _report(view: TaskView) -> tuple[str, Path | None]:
    task = view.task
    if task.result is None:
        words = task.summary or ("No result" if task.status.over else "No result yet")
        text = clean(words)
        return (text if task.status is not Status.FAILED else ""), None
    path = Path(task.result)
    kind = path.suffix.lower()
    try:
        found = path.stat()
        size = found.st_size
        if stat.S_ISDIR(found.st_mode):
            return f"The result is `{one_line(path.name)}`, a folder: `o` opens it", None
        regular.check(path, found)
        if kind in _PICTURES:
            name = path.name.replace(")", "\\)").replace(">", "")
            return f"![{one_line(path.name)}](<{one_line(name)}>)\n\n`o` opens it", path.parent
        if kind not in (*_MARKDOWN, *_PLAIN):
            return f"The result is `{one_line(path.name)}`, {size:,} bytes: `o` opens it", None
        with regular.open_regular(path) as file:
            text = clean(file.read(LIMIT).decode("utf-8", "replace"), LIMIT)
    except (OSError, ValueError) as error:  # The latter: no path at all.
        why = regular.why(error) if isinstance(error, OSError) else "it is no path"
        return f"The result `{one_line(path.name)}` cannot be shown: {why}", None
    if size > LIMIT:
        text += f"\n\n*Cut here: the file has {size:,} bytes; `o` opens all of it*"
    return (fenced(text, kind) if kind in _PLAIN else text), path.parent


def fenced(text: str, kind: str = "") -> str:
    """Return text as a block of code, whatever stands in it."""
    fence = "`" * (max(3, _longest_run(text) + 1))
    language = {".json": "json", ".toml": "toml", ".yaml": "yaml", ".yml": "yaml", ".py": "python",
                ".sh": "bash", ".xml": "xml"}.get(kind, "")  # fmt: skip
    return f"{fence}{language}\n{text}\n{fence}"


def _quoted(text: str) -> str:
    return "\n".join(f"> {line}" if line else ">" for line in text.split("\n"))


def _longest_run(text: str) -> int:
    """Return the length of the longest run of backticks."""
    longest = run = 0
    for character in text:
        run = run + 1 if character == "`" else 0
        longest = max(longest, run)
    return longest
