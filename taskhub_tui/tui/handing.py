"""Handing over a task: the form, what was typed into it and not sent, and what the hub refuses."""

from dataclasses import dataclass
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
    """What was typed and not handed over; kept while the app is open."""

    fields: "Fields | None" = None
    initial: NewTask | None = None


async def hand_over(
    main: "MainScreen", hub: Hub, draft: Draft, initial: NewTask | None = None
) -> None:
    """Show the form until a task is handed over, or the person leaves; `initial` fills it."""
    from taskhub_tui.tui.screens.new_task import NewTaskScreen

    while True:
        screen = NewTaskScreen(hub, workdir=short(Path.cwd()), initial=initial, draft=draft)
        wanted = await main.app.push_screen_wait(screen)
        if wanted is None:
            return
        initial = None  # What was typed is in the draft by now.
        try:
            await main.submit(wanted)
        except TaskHubError as error:
            main.app.say(error)
            if not isinstance(error, BadInput):
                return
        else:
            draft.fields = draft.initial = None
            return


async def same_again(hub: Hub, task_id: str) -> NewTask:
    """Return what hands over the same task once more."""
    return again(await hub.status(task_id))


def short(folder: Path) -> str:
    """Return a folder as people write it, with `~` for their own."""
    home = Path.home()
    return f"~/{folder.relative_to(home)}" if folder.is_relative_to(home) else str(folder)
