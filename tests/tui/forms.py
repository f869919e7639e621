"""What the tests of the dialogs share: a small host app, and tasks to show."""

from collections.abc import Callable
from typing import Any

from textual.app import App
from textual.screen import Screen

from taskhub_tui.domain import legal
from taskhub_tui.domain.model import (
    AgentCard,
    Blocker,
    BlockerKind,
    Stage,
    StageStatus,
    Status,
    Task,
    TaskView,
    WaitingOn,
)
from taskhub_tui.tui.theme import DARK, LIGHT

NOW = 1_790_000_000.0
HOSTILE = "[@click=app.quit]x[/] [/nope] \x1b[2J\x1b]52;c;aGk=\x07 [b"

CARDS = (
    AgentCard("analyst", "Financial Analyst", "Reads prices and reports on trends"),
    AgentCard("command", "Command", "Runs any program", options={"argv": "the program"}),
    AgentCard("claude", "Claude", "Writes code", problem="`claude` is not installed; install it"),
)


class Host(App[None]):
    """Shows one screen over an empty one and keeps what it returned."""

    CSS_PATH = None

    def __init__(self, make: Callable[[], Screen[Any]]) -> None:
        super().__init__()
        self._make = make
        self.answers: list[Any] = []
        self.said: list[str] = []
        self.seen = ""

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return dict(DARK.variables)

    def on_mount(self) -> None:
        self.register_theme(DARK)
        self.register_theme(LIGHT)
        self.theme = "taskhub"
        self.push_screen(self._make(), self.answers.append)

    def notify(self, message: str, **how: Any) -> None:
        assert how.get("markup") is False, "a toast must not read markup"
        self.said.append(message)
        super().notify(message, **how)

    def text(self) -> str:
        """What stands on the screen, line by line."""
        strips = self.screen._compositor.render_strips()
        return "\n".join(strip.text for strip in strips)


class Moments:
    """A clock that stands still until it is moved."""

    def __init__(self, at: float = 100.0) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


def stage(position: int, name: str, status: StageStatus, **more: Any) -> Stage:
    return Stage("01JTASK", position, name, more.pop("agent", "claude-2"), status, **more)


def view(
    kind: BlockerKind | None = BlockerKind.APPROVAL,
    status: Status = Status.BLOCKED,
    *,
    key: str = "deploy",
    question: str = "The agent asks to run this on staging:",
    stage_status: StageStatus = StageStatus.BLOCKED,
    task: dict[str, Any] | None = None,
    current: dict[str, Any] | None = None,
    **blocker: Any,
) -> TaskView:
    """Return a task at its third stage of five."""
    names = ("Plan", "Implement", "Review", "Replay", "Cut-over")
    stages = [
        stage(i, name, StageStatus.DONE if i < 2 else StageStatus.PENDING)
        for i, name in enumerate(names)
    ]
    stages[2] = stage(2, "review", stage_status, **(current or {}))
    the_task = Task(
        **{
            "id": "01JTASK",
            "n": 7,
            "title": "Migrate billing webhooks to v3",
            "request": "Migrate the billing webhooks to v3",
            "owner": "me",
            "agent": "claude-2",
            "workdir": "/srv/app",
            "status": status,
            "created": NOW - 1900,
            "changed": NOW - 120,
            "seq": 12,
            "stage": 2,
            "stages": 5,
            "stage_name": "review",
            "fraction": 0.62,
            "started": NOW - 1800,
            "waiting_on": WaitingOn.USER if kind else None,
            **(task or {}),
        }
    )
    asked = None
    if kind is not None:
        created = blocker.pop("created", NOW - 120)
        asked = Blocker(
            "b1",
            the_task.id,
            2,
            key,
            kind,
            question,
            3,
            created,
            **blocker,
        )
    return TaskView(the_task, stages, asked, (), legal.legal(the_task, asked))


def failed(error: str = "The table `prices` has no column `close`", **more: Any) -> TaskView:
    return view(
        None,
        Status.FAILED,
        stage_status=StageStatus.FAILED,
        task={"error": error, "ended": NOW - 30, **more},
        current={"error": error, "retries": 2, "failures": 2, "attempt": 2},
    )


__all__ = ["CARDS", "HOSTILE", "NOW", "Host", "Moments", "failed", "view"]
