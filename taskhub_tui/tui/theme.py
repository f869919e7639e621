"""The look: one muted palette, colour only where it means something, shape before colour."""

from dataclasses import dataclass

from textual.theme import Theme

from taskhub_tui.domain.model import StageStatus, Status, Task, WaitingOn

# Colours by meaning, from the colour-blind safe set of Okabe and Ito. They are theme variables
# ($needs, $running, …), because `$text-muted` is drawn white inside a line of segments.
DARK = Theme(
    name="taskhub",
    primary="#56B4E9",
    secondary="#7F8A97",
    accent="#E69F00",
    warning="#E69F00",
    error="#E8743B",
    success="#3FA98A",
    foreground="#D7DCE2",
    background="#12151A",
    surface="#12151A",
    panel="#1B2027",
    dark=True,
    variables={
        "needs": "#E69F00",
        "running": "#56B4E9",
        "failed": "#E8743B",
        "done": "#3FA98A",
        "muted": "#7F8A97",
        "faint": "#3A424D",
        "cursor": "#1D313D",
        "footer-key-foreground": "#E69F00",
        "input-selection-background": "#56B4E9 30%",
        "block-cursor-background": "#1D313D",
        "block-cursor-foreground": "#D7DCE2",
        "border": "#3A424D",
        "border-blurred": "#3A424D",
    },
)
LIGHT = Theme(
    name="taskhub-light",
    primary="#0B6FA4",
    secondary="#5B6570",
    accent="#9A5B00",
    warning="#9A5B00",
    error="#B8430F",
    success="#1C7A5E",
    foreground="#1B2027",
    background="#FAFAF8",
    surface="#FAFAF8",
    panel="#EFEFEB",
    dark=False,
    variables={
        "needs": "#9A5B00",
        "running": "#0B6FA4",
        "failed": "#B8430F",
        "done": "#1C7A5E",
        "muted": "#5B6570",
        "faint": "#C9CDD2",
        "cursor": "#DCEAF2",
        "footer-key-foreground": "#9A5B00",
        "input-selection-background": "#0B6FA4 30%",
        "block-cursor-background": "#DCEAF2",
        "block-cursor-foreground": "#1B2027",
        "border": "#C9CDD2",
        "border-blurred": "#C9CDD2",
    },
)


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
    opened: str = "▾"


UNICODE = Glyphs()
ASCII = Glyphs(
    ".", ">", "!", "=", "~", "+", "x", "-", "#", "-", "|", ">", "-", "~", "-", "above", "enter", "v"
)


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
