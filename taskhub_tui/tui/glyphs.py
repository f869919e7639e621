"""The shapes that stand for what is going on, and the colour that each one means.

Also for what is printed in a shell, so nothing of the app is imported here.
"""

from taskhub_tui.domain.model import StageStatus, Status, Task, WaitingOn
from taskhub_tui.records import dataclass


@dataclass(frozen=True, slots=True)
class Glyphs:
    """One cell each; none of East Asian ambiguous width but the middle dot."""

    queued: str = "·"
    running: str = "▸"
    needs: str = "!"
    paused: str = "="
    retrying: str = "↻"
    done: str = "✓"
    failed: str = "✗"
    cancelled: str = "⊘"
    filled: str = "━"
    rest: str = "─"
    rule: str = "│"
    mark: str = "▌"
    dash: str = "–"
    more: str = "…"
    dot: str = "·"
    up: str = "↑"
    enter: str = "⏎"
    down: str = "↓"
    marked: str = "▪"
    unfolded: str = "▾"
    folded: str = "▹"
    opened: str = "▾"


UNICODE = Glyphs()
ASCII = Glyphs(
    ".", ">", "!", "=", "~", "+", "x", "-", "#", "-", "|", ">", "-", "~", "-", "above", "enter",
    "v", "*", "-", "+", "v",
)  # fmt: skip


def task_look(task: Task, glyphs: Glyphs) -> tuple[str, str]:
    """Return the glyph of a task and the theme variable of its colour."""
    match task.status:
        case Status.BLOCKED:
            return glyphs.needs, "needs"
        case Status.FAILED:
            return glyphs.failed, "failed"
        case Status.IN_PROGRESS:
            if task.waiting_on is WaitingOn.USER:
                return glyphs.needs, "needs"
            return glyphs.running, "running"
        case Status.COMPLETED:
            return glyphs.done, "done"
        case Status.CANCELLED:
            return glyphs.cancelled, "muted"
        case Status.PAUSED:
            return glyphs.paused, "muted"
        case Status.PENDING:
            if task.waiting_on in (WaitingOn.RETRY, WaitingOn.PROVIDER):
                return glyphs.retrying, "muted"
            return glyphs.queued, "muted"


STAGE_LOOK = {
    StageStatus.PENDING: ("queued", "muted"),
    StageStatus.RUNNING: ("running", "running"),
    StageStatus.BLOCKED: ("needs", "needs"),
    StageStatus.WAITING: ("retrying", "muted"),
    StageStatus.DONE: ("done", "done"),
    StageStatus.FAILED: ("failed", "failed"),
    StageStatus.CANCELLED: ("cancelled", "muted"),
}
"""Name of the glyph and theme variable of the colour, by the status of a stage."""
