"""The stages of a task, one line each: where it is, how long each took or will take."""

from collections.abc import Sequence

from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.content import Content
from textual.widgets import Static

from taskhub_tui.domain.model import Stage, StageStatus, Task
from taskhub_tui.text import one_line
from taskhub_tui.tui.glyphs import STAGE_LOOK, Glyphs
from taskhub_tui.tui.words import told as told


def put(static: Static, content: Content) -> bool:
    """Show `content` if it differs from what is shown; return whether it did."""
    shown = static.content
    if isinstance(shown, Content) and shown.is_same(content):
        return False
    static.update(content)
    return True


class StagesView(VerticalScroll, can_focus=False):
    """Scrolls to the current stage where there are many."""

    DEFAULT_CSS = """
    StagesView {
        height: auto; max-height: 40%; margin: 1 0; scrollbar-size-vertical: 1;
        scrollbar-color: $faint; scrollbar-background: $background;
        & Static { height: auto; text-wrap: nowrap; text-overflow: ellipsis; }
    }
    """

    def __init__(self) -> None:
        super().__init__()
        self._text = Static("", markup=False)

    def compose(self) -> ComposeResult:
        yield self._text

    def show(self, stages: Sequence[Stage], task: Task, now: float, glyphs: Glyphs) -> None:
        """Show these stages."""
        names = [one_line(stage.name, 40) for stage in stages]
        wide = min(24, max((len(name) for name in names), default=0))
        digits = len(str(len(stages)))
        lines = []
        for stage, name in zip(stages, names, strict=True):
            glyph, colour = STAGE_LOOK[stage.status]
            current = stage.status in (StageStatus.RUNNING, StageStatus.BLOCKED, StageStatus.FAILED)
            style = "bold $foreground" if current else "$foreground"
            if stage.status in (StageStatus.PENDING, StageStatus.CANCELLED):
                style = "$muted"
            note = one_line(stage.note, 200) if stage.status is StageStatus.RUNNING else ""
            lines.append(
                Content.assemble(
                    (getattr(glyphs, glyph) + " ", f"${colour}"),
                    (f"{stage.position + 1:>{digits}} {name:<{wide}}", style),
                    ("  " + told(stage, task, now), "$foreground" if current else "$muted"),
                    (f"  {note}" if note else "", "$muted"),
                )
            )
        if not put(self._text, Content("\n").join(lines)):
            return
        if len(stages) > self.size.height > 0:
            self.scroll_to(y=max(0, task.stage - self.size.height // 2), animate=False, force=True)
