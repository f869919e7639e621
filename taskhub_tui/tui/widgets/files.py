"""The files that a task has made: each is opened, looked at, saved, or its path copied."""

import stat
from collections.abc import Sequence
from pathlib import Path

from rich.segment import Segment
from textual import events
from textual.message import Message
from textual.strip import Strip

from taskhub_tui.domain.model import TaskView
from taskhub_tui.records import dataclass
from taskhub_tui.text import one_line
from taskhub_tui.tui.actions import bindings
from taskhub_tui.tui.render import fit
from taskhub_tui.tui.theme import Glyphs
from taskhub_tui.tui.widgets.lines import LinesView


@dataclass(frozen=True, slots=True)
class File:
    """One file of a task, as it lies on the disk now."""

    name: str
    path: Path
    kind: str
    stage: str
    size: int | None
    """Bytes; None when it is not there any more."""
    main: bool = False
    folder: bool = False
    special: bool = False
    """It is a named pipe, a device or the like, which is not opened."""


def files_of(view: TaskView) -> list[File]:
    """Return the files of a task, its result first; looks at the disk."""
    found = []
    names = [stage.name for stage in view.stages]
    known = set()
    for one in view.artifacts:
        known.add(one.path)
        stage = names[one.stage] if 0 <= one.stage < len(names) else ""
        main = one.path == view.task.result
        found.append(_file(one.name, Path(one.path), one.media_type, stage, main=main))
    if view.task.result and view.task.result not in known:
        path = Path(view.task.result)
        found.append(_file(path.name, path, "", "", main=True))
    return sorted(found, key=lambda file: not file.main)


def counted(view: TaskView) -> int:
    """Return how many `files_of` would find, without a look at the disk."""
    result = view.task.result
    alone = bool(result) and all(one.path != result for one in view.artifacts)
    return len(view.artifacts) + alone


def _file(name: str, path: Path, kind: str, stage: str, *, main: bool) -> File:
    try:
        found = path.stat()
    except (OSError, ValueError):
        return File(name, path, kind, stage, None, main)
    folder = stat.S_ISDIR(found.st_mode)
    special = not folder and not stat.S_ISREG(found.st_mode)
    return File(name, path, kind, stage, found.st_size, main, folder, special)


def size(count: int) -> str:
    """Return bytes in at most seven cells."""
    if count < 1000:
        return f"{count} B"
    amount, unit = float(count), "B"
    for unit in ("kB", "MB", "GB", "TB"):  # noqa: B007 - the last one counts
        amount /= 1000
        if amount < 999.5:
            break
    return f"{amount:.1f} {unit}" if amount < 9.95 else f"{amount:.0f} {unit}"


class FilesView(LinesView):
    """A line for each file, one of which is chosen."""

    BINDINGS = [*bindings("files")]
    keeps_mark = True

    class Opened(Message):
        """A file is to be opened with another program."""

        def __init__(self, file: File) -> None:
            super().__init__()
            self.file = file

    class SaveWanted(Opened):
        """A file is to be saved elsewhere."""

    class LookWanted(Opened):
        """A picture is to be looked at."""

    def __init__(self, glyphs: Glyphs, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._glyphs = glyphs
        self._files: Sequence[File] = ()
        self._over = False

    def show(self, files: Sequence[File], *, over: bool, keep: bool = False) -> None:
        """Show these files; `over` says that no more will come."""
        if keep and files == self._files and over == self._over and self._lines:
            return
        self._files, self._over = list(files), over
        at = self.at if keep else None
        self.set_lines(self._drawn(), keep=keep)
        self.at = min(at or 0, len(files) - 1) if files else None
        self.refresh()
        if self.is_mounted:
            self.screen.refresh_bindings()

    def on_resize(self) -> None:
        self._lines = self._drawn()
        self.refresh()

    def _drawn(self) -> list[Strip]:
        muted, plain = self.theme_style("muted"), self.theme_style("foreground")
        if not self._files:
            words = "It made no files" if self._over else "No files yet"
            return [Strip([Segment(words, muted)])]
        width = max(20, self.size.width - 1)
        wide = width >= 70
        stage = min(16, max((len(file.stage) for file in self._files), default=0)) if wide else 0
        kind = 18 if wide else 0
        name = max(8, width - 12 - (kind + 2 if kind else 0) - (stage + 2 if stage else 0))
        longest = max(len(one_line(file.name, 200)) for file in self._files)
        name = min(name, max(longest, 12))
        lines = []
        for file in self._files:
            gone = file.size is None
            glyph = self._glyphs.failed if gone else self._glyphs.done if file.main else " "
            colour = "failed" if gone else "done"
            parts = [
                Segment(f"{glyph} ", self.theme_style(colour)),
                Segment(
                    fit(one_line(file.name, 200), name, self._glyphs), muted if gone else plain
                ),
                Segment(f"{'gone' if gone else _size(file):>9}", muted),
            ]
            if kind:
                parts.append(Segment("  " + fit(one_line(file.kind), kind, self._glyphs), muted))
            if stage:
                parts.append(Segment("  " + fit(one_line(file.stage), stage, self._glyphs), muted))
            lines.append(Strip(parts))
        return lines

    @property
    def chosen(self) -> File | None:
        """The file that is marked."""
        return self._files[self.at] if self.at is not None and self.at < len(self._files) else None

    def copied(self, y: int) -> str:
        return str(self._files[y].path) if y < len(self._files) else ""

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        if action in ("open_file", "save_file", "copy", "choose", "choose_end"):
            return bool(self._files)
        if action == "look":
            return self.chosen is not None and pictured(self.chosen)
        return super().check_action(action, parameters)

    def action_choose(self, by: int) -> None:
        """Mark the next file, or the one before."""
        self.bring(max(0, min(len(self._files) - 1, (self.at or 0) + by)))
        self.screen.refresh_bindings()

    def action_open_file(self) -> None:
        if self.chosen is not None:
            self.post_message(self.Opened(self.chosen))

    def action_save_file(self) -> None:
        if self.chosen is not None:
            self.post_message(self.SaveWanted(self.chosen))

    def action_look(self) -> None:
        if self.chosen is not None:
            self.post_message(self.LookWanted(self.chosen))

    def on_click(self, event: events.Click) -> None:
        y = self.line_at(event.y)
        if y is not None and y < len(self._files):
            self.at = y
            self.refresh()
            self.screen.refresh_bindings()
            if event.chain == 2:
                self.action_open_file()


def pictured(file: File) -> bool:
    """True when a file is a picture that may be shown in the terminal."""
    if file.size is None or file.folder or file.special:
        return False
    return file.path.suffix.lower() in (".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp")


def _size(file: File) -> str:
    if file.folder or file.special:
        return "folder" if file.folder else "no file"
    return size(file.size or 0)
