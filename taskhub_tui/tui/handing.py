"""Handing over a task: the form, what was typed into it and not sent, and what the hub refuses."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from taskhub_tui.domain.again import again
from taskhub_tui.domain.errors import BadInput, TaskHubError
from taskhub_tui.domain.model import NewTask
from taskhub_tui.hub import Hub

if TYPE_CHECKING:
    from taskhub_tui.tui.screens.main import MainScreen
    from taskhub_tui.tui.screens.new_task_fields import Fields


@dataclass(slots=True)
class Draft:
    """What was typed into one form and not handed over."""

    fields: "Fields | None" = None
    initial: NewTask | None = None

    def clear(self) -> None:
        self.fields = self.initial = None


@dataclass(slots=True)
class Drafts:
    """A draft for the empty form, and one for each task that a form was filled with.

    Kept while the app is open: a form that is opened for something else takes nothing from them.
    """

    _kept: list[tuple[NewTask | None, Draft]] = field(default_factory=list)

    def of(self, initial: NewTask | None) -> Draft:
        """Return the draft of the form that `initial` fills."""
        for one, draft in self._kept:
            if one == initial:
                return draft
        self._kept.append((initial, Draft()))
        return self._kept[-1][1]


async def hand_over(
    main: "MainScreen", hub: Hub, drafts: Drafts, initial: NewTask | None = None
) -> None:
    """Show the form until a task is handed over, or the person leaves; `initial` fills it."""
    from taskhub_tui.tui.screens.new_task import NewTaskScreen

    draft = drafts.of(initial)
    while True:
        screen = NewTaskScreen(hub, workdir=short(Path.cwd()), initial=initial, draft=draft)
        wanted = await main.app.push_screen_wait(screen)
        if wanted is None:
            return
        try:
            await main.submit(wanted, draft)
        except TaskHubError as error:
            main.app.say(error)
            if not isinstance(error, BadInput):
                return
        else:
            return


async def same_again(hub: Hub, task_id: str) -> NewTask:
    """Return what hands over the same task once more."""
    return again(await hub.status(task_id))


def short(folder: Path) -> str:
    """Return a folder as people write it, with `~` for their own."""
    home = Path.home()
    if folder == home:
        return "~"
    return f"~/{folder.relative_to(home)}" if folder.is_relative_to(home) else str(folder)
